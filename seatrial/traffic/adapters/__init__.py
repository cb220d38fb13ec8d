"""How inference APIs are asked and what their answers mean; one file an API, `base` says what they share."""
