"""Why the platform does not start, said to the person at the terminal in both languages."""


class Refused(Exception):
    """What is wrong and what to do about it, as an English and a Chinese sentence."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(f"{english}\n{chinese}")
