"""What a person has typed and not saved: kept after every field, there again after signing in, gone once it is saved.

A page carries a signed word that says who drew it. A form sent after the session ended is kept by it as that person's draft; it
opens nothing else.
"""

from typing import Any

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone

from accounts import scope
from accounts.models import User
from studies import access, entry
from studies.entries.sheet import Sheet, read_seen
from studies.models import Draft, Participant

SALT = "prime.draft"
KEPT_FOR = 3 * 24 * 3600
"""How long after a page was drawn what it sends without a session is still kept, in seconds."""


def find(participant: Participant, form: str, person: User, occurrence: str = "") -> Draft | None:
    """A person's own draft of a form."""
    return Draft.objects.filter(participant=participant, form=form, occurrence=occurrence, person=person).first()


def keep(sheet: Sheet, participant: Participant, person: User, occurrence: str = "") -> Draft | None:
    """Keep what was typed as the person's draft; where nothing differs from the page there is none."""
    access.require(person, entry.ENTER, participant.center)
    if not sheet.touched:
        discard(participant, sheet.form.code, person, occurrence)
        return None
    seen = {code: value.as_json() for code, value in sheet.seen.items()}
    made, _created = Draft.objects.update_or_create(
        participant=participant, form=sheet.form.code, occurrence=occurrence, person=person,
        defaults={"typed": sheet.as_draft, "seen": seen, "saved_at": timezone.now()},
    )  # fmt: skip
    return made


def discard(participant: Participant, form: str, person: User, occurrence: str = "") -> None:
    """Take a person's draft away."""
    Draft.objects.filter(participant=participant, form=form, occurrence=occurrence, person=person).delete()


def word(participant: Participant, form: str, person: User) -> str:
    """The signed word of a page: this person, this form."""
    return signing.dumps({"person": person.pk, "participant": str(participant.uuid), "form": form}, salt=SALT)


def keep_lost_post(request: HttpRequest, **kwargs: Any) -> bool:
    """Keep a form that was sent after the session ended; whether it could be kept. Called by the sign-in middleware."""
    try:
        said = signing.loads(request.POST.get("drawn_for", ""), salt=SALT, max_age=KEPT_FOR)
    except signing.BadSignature:
        return False
    if (said["participant"], said["form"]) != (str(kwargs.get("uuid")), kwargs.get("form")):
        return False
    person = User.objects.filter(pk=said["person"], is_active=True).first()
    if person is None:
        return False
    with scope.within_reach_of(person):
        participant = access.participants_for(person, entry.ENTER).filter(uuid=kwargs["uuid"]).first()
        if participant is None:
            return False
        form = next((form for form in participant.study.dictionary.forms if form.code == said["form"]), None)
        if form is None:  # a newer version asks it no more
            return False
        row = participant.entries.filter(form=form.code, occurrence="").first()
        sheet = Sheet(form, stored=entry.held(row), seen=read_seen(request.POST.get("seen")), typed=request.POST)
        return keep(sheet, participant, person) is not None
