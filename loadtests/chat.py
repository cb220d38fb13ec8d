"""Questions to a chat model that streams its answers, over OpenAI's chat completions.

$CHAT_MODEL is the name that the server knows the model by. Any whole stream is right: what a model says is not judged.
"""

import os

from seatrial.loads.locust_user import OpenLoopUser
from seatrial.traffic.adapters.openai_chat import OpenAIChat

CHAT = OpenAIChat(os.environ.get("CHAT_MODEL", "chat"), parameters={"temperature": 0})
QUESTIONS = {
    "short": ("What is a sea trial?", 32),
    "list": ("Name ten things that a crew looks at before a ship leaves the port, one a line.", 96),
    "long": ("Explain to a new deckhand, step by step and with reasons, how a lifeboat is lowered.", 192),
}


class Chat(OpenLoopUser):
    """One user is one request per second."""

    def exchanges(self):
        return [self.asked(case, text, most) for case, (text, most) in QUESTIONS.items()]

    def sized(self, input_size, output_size):
        # About a token a word. The first differs, or the server would know the rest from the prompt before.
        words = [f"{input_size}/{output_size}:", *["sea"] * (input_size - 1)]
        return self.asked("replayed", " ".join(words), max(1, output_size))

    def asked(self, case, text, most):
        return CHAT.exchange(case, {"messages": [{"role": "user", "content": text}], "max_tokens": most})
