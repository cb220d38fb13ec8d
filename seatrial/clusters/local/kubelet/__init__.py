"""Runs pods as processes of this machine, with the lifecycle that Kubernetes gives them."""
