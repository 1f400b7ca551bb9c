"""The page on which a laboratory report is pasted: shown, decided, confirmed; nobody's name is kept anywhere on the way."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AccessRecord
from studies import enrollment, entry
from studies.models import Entry, PastedBlock
from studies.values import Value
from tests import world as worlds
from tests.studies.laboratory import blocks

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return worlds.build()


@pytest.fixture
def person(world):
    return worlds.enrolled(world)


@pytest.fixture
def client(world):
    client = Client()
    client.force_login(world.people["coordinator01"])
    return client


def before_surgery(person, text):
    """A block dated three days before this participant's surgery."""
    day = person.screening.surgery_date - timedelta(days=3)
    return text.replace("2026年10月29日", f"{day.year}年{day.month}月{day.day}日").replace("2026-10-29", day.isoformat())


def address(person):
    return reverse("lab-paste", args=[person.uuid])


def read(client, person, text):
    return client.post(address(person), {"block": text})


def confirmed(page, **more):
    """What the page sends when it is confirmed as drawn."""
    take = [fill.key for fill in page.context["fills"] if fill.ticked]
    hidden = {"kept": page.context["kept"], "seen": page.context["drawn_with"]}
    return {**hidden, "day": page.context["day"], "only": "", "take": take, **more}


def held(person):
    row = Entry.objects.filter(participant=person, form="laboratory").first()
    return {code: (value.value, value.comparator) for code, value in entry.held(row).items()}


def test_nothing_is_written_before_it_is_confirmed(client, person):
    page = read(client, person, before_surgery(person, blocks.SPACES.text))
    assert page.status_code == 200
    assert (len(page.context["fills"]), len(page.context["questions"])) == (32, 4)
    assert (Entry.objects.filter(form="laboratory").count(), PastedBlock.objects.count()) == (0, 0)


def test_confirmed_block_fills_the_form_and_stays_its_source(client, person):
    """Thirty-two values and the day by one button; a decision is filled in only where the person took one."""
    page = read(client, person, before_surgery(person, blocks.SPACES.text))
    asked = {question.why: question for question in page.context["questions"]}
    assert not any(answer.chosen for question in asked.values() for answer in question.answers)
    creatinine = next(question for question in page.context["questions"] if question.pasted == "0.75")
    sodium = next(question for question in page.context["questions"] if question.bad)
    marker = next(question for question in page.context["questions"] if any(answer.limit for answer in question.answers))
    limit = marker.answers[0].key
    sent = confirmed(
        page,
        **{
            f"answer_{creatinine.key}": "0",
            f"answer_{sodium.key}": "correct",
            f"correct_{sodium.key}": "138.8",
            f"answer_{marker.key}": limit,
            f"limit_{marker.key}_{limit}": "2.0",
        },
    )
    done = client.post(address(person), sent)
    assert done.status_code == 302
    expected = {code: (value, sign) for code, (value, sign, _) in blocks.SPACES.filled.items()}
    expected |= {"creatinine": ("66.3", ""), "sodium": ("138.8", ""), "ca19_9": ("2", "<")}  # 0.75 × 88.4
    expected["lab_date"] = ((person.screening.surgery_date - timedelta(days=3)).isoformat(), "")
    assert held(person) == expected
    source = PastedBlock.objects.get()
    assert source.text.splitlines()[3].startswith("总胆红素            1.2         mg/dL")
    assert source.lines["albumin"] == 5
    sources = {code: value.source for code, value in entry.held(source.entry).items()}
    assert {code for code, source in sources.items() if source == "typed"} == {"sodium", "ca19_9"}
    assert set(sources.values()) == {"typed", "pasted"}


def test_what_is_left_to_decide_waits_on_the_page(client, person):
    page = read(client, person, before_surgery(person, blocks.SPACES.text))
    left = client.get(client.post(address(person), confirmed(page))["Location"])
    assert (len(left.context["fills"]), len(left.context["questions"]), left.context["already"]) == (0, 4, 32)


def test_stored_value_is_replaced_only_when_ticked_and_with_a_reason(client, person, world):
    """AU-03: old → new in sight, not ticked beforehand, and the change says why."""
    by = world.people["coordinator01"]
    entry.record(participant=person, form="laboratory", values={"alt": Value("40")}, by=by)
    page = read(client, person, before_surgery(person, "采样时间：2026-10-29\nALT 52 U/L\nAST 46 U/L"))
    (alt, ast) = page.context["fills"]
    assert (alt.before, alt.ticked, ast.ticked) == ("40", False, True)
    sent = confirmed(page) | {"take": [alt.key, ast.key]}
    assert client.post(address(person), sent).status_code == 400
    assert held(person) == {"alt": ("40", "")}
    assert client.post(address(person), sent | {"reason": "typing error"}).status_code == 302
    assert held(person)["alt"] == ("52", "")


def reported(days, *lines):
    """A report of so many days before surgery, as `before_surgery` dates it."""
    return "\n".join([f"采样时间：{days}", *lines])


def test_second_report_leaves_the_day_of_the_first_values_alone(client, person):
    """The form keeps the day that it was dated by; what another day brought carries its own, and a changed value both days."""
    first, second = ((person.screening.surgery_date - timedelta(days=days)).isoformat() for days in (9, 3))
    client.post(address(person), confirmed(read(client, person, reported(first, "ALT 52 U/L", "AST 46 U/L"))))
    page = read(client, person, reported(second, "ALT 52 U/L", "Albumin 41 g/L"))
    assert (page.context["form_day"], page.context["day"]) == (first, second)
    alt, albumin = page.context["fills"]
    assert (alt.before, alt.ticked, albumin.on) == (f"52 ({first})", False, second)
    assert client.post(address(person), confirmed(page)).status_code == 302
    values = entry.held(Entry.objects.get(form="laboratory"))
    days = {code: value.on or values["lab_date"].value for code, value in values.items()}
    assert days == {"lab_date": first, "alt": first, "ast": first, "albumin": second}
    again = read(client, person, reported(second, "ALT 52 U/L", "Albumin 41 g/L"))
    assert (len(again.context["fills"]), again.context["already"]) == (1, 1)


def test_value_stored_while_one_looked_is_not_replaced_unseen(client, person, world):
    """What the page was drawn with is compared; the refusal names the value, and nothing that was chosen is lost."""
    page = read(client, person, before_surgery(person, "采样时间：2026-10-29\nALT 52 U/L\nAST 46 U/L\nAlbumin 41 g/L"))
    entry.record(participant=person, form="laboratory", values={"alt": Value("40")}, by=world.people["site_pi01"])
    sent = confirmed(page, reason="typing error")
    refused = client.post(address(person), sent)
    assert (refused.status_code, held(person)) == (400, {"alt": ("40", "")})
    assert "40" in refused.context["faults"][0]
    assert [(fill.before, fill.ticked) for fill in refused.context["fills"]] == [("40", True), ("", True), ("", True)]
    assert refused.context["reason"] == "typing error"
    assert client.post(address(person), confirmed(refused, reason="typing error")).status_code == 302
    assert held(person)["alt"] == ("52", "")


def test_answer_to_a_test_that_stands_twice_names_its_own_line(client, person):
    text = before_surgery(person, "采样时间：2026-10-29\nALT 52 U/L\nAST 46 U/L\nALT 61 U/L")
    page = read(client, person, text)
    (question,) = page.context["questions"]
    assert [answer.words[:6] for answer in question.answers] == ["52 U/L", "61 U/L"]
    client.post(address(person), confirmed(page, **{f"answer_{question.key}": "1"}))
    assert held(person)["alt"] == ("61", "")
    assert PastedBlock.objects.get().lines == {"alt": 4, "ast": 3}


def test_what_was_answered_stands_there_again_after_a_fault(client, person):
    page = read(client, person, before_surgery(person, blocks.SPACES.text))
    marker = next(each for each in page.context["questions"] if any(answer.limit for answer in each.answers))
    other = next(each for each in page.context["questions"] if each.correct_unit)
    limit = marker.answers[0].key
    answers = {f"answer_{marker.key}": limit, f"limit_{marker.key}_{limit}": "2.0"}
    answers |= {f"answer_{other.key}": "correct", f"correct_{other.key}": "1"}
    refused = client.post(address(person), confirmed(page, **answers) | {"day": ""})
    assert refused.status_code == 400
    for field in (
        f'name="limit_{marker.key}_{limit}" value="2.0"',
        f'name="answer_{other.key}" value="correct" checked',
        f'name="correct_{other.key}" value="1"',
    ):
        assert field in refused.content.decode()


def test_reason_that_a_withdrawal_asks_for_can_be_given(client, person, world):
    """EN-04 b: data from before the withdrawal are taken with a reason, and the page has the field for it."""
    day = person.study.today()
    by = world.people["site_pi01"]
    enrollment.withdraw(participant=person, how_far="no_new_data", on=day, reason="moved away", by=by)
    page = read(client, person, before_surgery(person, "采样时间：2026-10-29\nALT 52 U/L"))
    assert client.post(address(person), confirmed(page)).status_code == 400
    assert 'name="reason"' in page.content.decode()
    assert client.post(address(person), confirmed(page, reason="report came late")).status_code == 302
    assert held(person)["alt"] == ("52", "")


def test_unusual_value_asks_for_its_tick(client, person):
    """Outside the soft range the box is empty; ticked, the value is stored as confirmed."""
    page = read(client, person, before_surgery(person, "采样时间：2026-10-29\nALT 940 U/L"))
    (alt,) = page.context["fills"]
    assert (alt.unusual, alt.ticked) == (True, False)
    client.post(address(person), confirmed(page) | {"take": [alt.key]})
    assert entry.held(Entry.objects.get(form="laboratory"))["alt"].confirmed


def test_day_of_sampling_must_be_said(client, person):
    page = read(client, person, "ALT 52 U/L")
    assert page.context["day"] == ""
    refused = client.post(address(person), confirmed(page))
    assert (refused.status_code, len(refused.context["fills"])) == (400, 1)
    assert not Entry.objects.filter(form="laboratory").exists()


def test_no_identity_reaches_a_table_or_the_page(client, person):
    """The name, the number, the doctor: in no column of any table, in nothing the page says back (docs/formats.md k)."""
    page = read(client, person, before_surgery(person, blocks.TABS.text))
    assert page.context["taken_out"] == (2, 3)
    client.post(address(person), confirmed(page))
    assert PastedBlock.objects.get().taken_out == [2, 3]
    with connection.cursor() as cursor:
        for word in ("周文华", "00318842", "钱敏"):
            assert word not in page.content.decode()
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'select exists (select 1 from "{table}" each where each::text like %s)', [f"%{word}%"])
                assert cursor.fetchone() == (False,), table


def test_browser_cannot_send_a_name_past_the_reading(client, person):
    """What comes back as already screened is screened again before it is stored."""
    text = before_surgery(person, "采样时间：2026-10-29\nALT 52 U/L\n姓名：周文华")
    sent = {"kept": text, "day": (person.screening.surgery_date - timedelta(days=3)).isoformat(), "take": ["0"], "only": ""}
    assert client.post(address(person), sent).status_code == 302
    assert PastedBlock.objects.get().text.splitlines()[2] == "〔…〕"


def test_who_may_not_enter_may_not_paste(world, person):
    sent = {"kept": "ALT 52 U/L", "day": person.screening.surgery_date.isoformat(), "take": ["0"]}
    for name in ("monitor", "data_manager", "investigator", "coordinator02"):
        client = Client()
        client.force_login(world.people[name])
        assert client.get(address(person)).status_code in (403, 404)
        assert read(client, person, "ALT 52 U/L").status_code in (403, 404)
        assert client.post(address(person), sent).status_code in (403, 404)
    assert not (Entry.objects.filter(form="laboratory").exists() or PastedBlock.objects.exists())
    assert not AccessRecord.objects.filter(detail__icontains="ALT").exists()


def test_page_takes_as_many_queries_for_thirty_rows_as_for_one(client, person):
    counts = []
    for text in ("ALT 52 U/L", blocks.TABS.text):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            read(client, person, before_surgery(person, text))
        counts.append(len(queries))
    assert counts[0] == counts[1]
