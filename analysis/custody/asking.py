"""The custodian's program for somebody who types no commands: what is to be done, with which files, one question after the other."""

from collections.abc import Callable, Sequence

from analysis.custody import words
from analysis.custody.words import _

Question = tuple[str, str, str]
"""Option ("" for the file itself), what is asked, what stands there when nothing is typed."""


def menu() -> Sequence[tuple[str, str, Sequence[Question]]]:
    """The acts in the order in which a custodian meets them: name, words, questions."""
    key = ("--key", _("Your key file"), "custodian.key")
    received = ("--heads", _("Folder of heads that you received yourself (empty: none)"), "")
    bundle = ("", _("File of the bundle"), "")
    half = ("", _("File from the first custodian"), "")
    folder = ("--out", _("New folder for the result"), "result")
    drill = ("", _("File of the drill"), "drill.json")
    pair = ("--pair", _("The pair (AB, AC or BC)"), "")

    def to(name: str) -> Question:
        return "--out", _("Write to"), name

    return [
        ("keygen", _("Make my key (once, on this device)"), [to("custodian.key")]),
        ("prove", _("Prove that I hold my key"), [("", _("File of the challenge"), ""), key, to("proof.json")]),
        ("approve", _("Read a request and sign it"), [("", _("File of the request"), "request.json"), key, to("my.sig")]),
        ("peel", _("Opening: I am the first custodian"), [bundle, key, to("half.tar"), received]),
        ("open", _("Opening: I am the second custodian"), [half, key, folder, received]),
        ("read", _("Read a result that was encrypted to me"), [("", _("File of the result"), ""), key, folder]),
        ("drill-peel", _("Drill: I am the first custodian"), [drill, pair, key, to("drill.half")]),
        ("drill-open", _("Drill: I am the second custodian"), [drill, pair, ("--half", half[1], "drill.half"), key]),
        ("handover-peel", _("A custodian is replaced: I am the first who stays"), [bundle, key, to("handover.half"), received]),
        ("handover-wrap", _("A custodian is replaced: I am the second who stays"), [half, key, to("wraps.json"), received]),
    ]


def arguments(language: str, ask: Callable[[str], str] = input, say: Callable[[str], object] = print) -> list[str]:
    """Ask until one act is complete; what would have been typed for it. Raises EOFError when the person leaves."""
    words.speak(language)
    say(_("Key custodian of a PRIME study. Nothing leaves this device; no network is used."))
    acts = menu()
    for number, (_name, words_, _questions) in enumerate(acts, 1):
        say(f"  {number:2}  {words_}")
    name, _words, questions = acts[_number(ask, len(acts)) - 1]
    typed = [name]
    for option, question, default in questions:
        answer = ask(f"{question}{f' [{default}]' if default else ''}: ").strip() or default
        if answer:
            typed += [option, answer] if option else [answer]
    if name == "keygen":
        typed.append("--passphrase")
    say("custodian " + " ".join(typed))
    return ["--lang", language, *typed]


def _number(ask: Callable[[str], str], last: int) -> int:
    while True:
        said = ask(_("Number of what you want to do: ")).strip()
        if said.isdigit() and 1 <= int(said) <= last:
            return int(said)
