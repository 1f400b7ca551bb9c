"""Reading a request and signing it: for an opening, or for giving a custodian's part to another person."""

import json

from accounts import chain
from accounts.canonical import digest
from analysis.custodianship import approval_message
from analysis.custody.acts import FAULT, Options, Say, Stopped, key_of, write
from analysis.custody.words import _

SHOWN = ("study", "requester", "reason", "pair", "expires_at", "seals")


def approve(options: Options, say: Say) -> None:
    """Show what is asked, and sign it."""
    try:
        request = json.loads(options["request"].read_bytes())
        asked = {name: request[name] for name in SHOWN}
        expires = chain.instant(asked["expires_at"]).isoformat()
        signature = key_of(options).sign(approval_message(digest(request)))
    except (ValueError, KeyError, TypeError) as error:
        raise Stopped(_("This is no request: %(error)r") % {"error": error}, FAULT) from None
    say(f"{asked['study']}: {asked['requester']}: {asked['reason']}")
    said = {"count": len(asked["seals"]), "pair": asked["pair"], "expires": expires}
    say(_("%(count)s seals, custodians %(pair)s, until %(expires)s") % said)
    if request.get("purpose") == "replace":
        new = request["new"]
        say(_("Custodian %(letter)s is to be %(person)s from now on.") % {"letter": request["replaced"], "person": new["person"]})
    write(options["out"], signature, 0o644)
    say(_("Approval written to %(file)s") % {"file": options["out"]})
