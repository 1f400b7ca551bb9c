"""Edit checks raise queries, close them when the data are fixed, and stay quiet about what a person accepted (AU-06)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from accounts.transitions import NotAllowedNow
from followup import entry, events, treatment
from prime_platform.demo import patients
from studies import dictionary, screening
from studies import entry as form
from studies.models import CheckRun, Entry, Query
from studies.quality import checking, forms_held, queries, rules, sources
from studies.quality.expression import Day
from studies.values import Value
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import SURGERY

RULES = rules.in_force("hcc_adjuvant")


def on(day: int) -> Day:
    return Day.on(SURGERY + timedelta(days=day))


def firing(**facts: object) -> set[str]:
    typed = {code: Decimal(str(value)) if isinstance(value, int | float) else value for code, value in facts.items()}
    return {rule.code for rule in RULES.firing({"surgery_date": on(0), **typed})}


@pytest.mark.parametrize(
    ("code", "fires", "silent"),
    [
        ("AGE_OUT_OF_RANGE", {"age_at_surgery": 76}, {"age_at_surgery": 75}),
        ("CHILD_A_WITH_SIGNS", {"child_pugh": "A", "ascites": "moderate"}, {"child_pugh": "A", "ascites": "mild"}),
        ("CHILD_A_WITH_SIGNS", {"child_pugh": "A", "bilirubin": 60, "albumin": 25}, {"child_pugh": "A", "bilirubin": 60}),
        ("CHILD_AGAINST_POINTS", {"child_pugh": "A", "child_pugh_class": "B"}, {"child_pugh": "B", "child_pugh_class": "B"}),
        ("ALBUMIN_UNIT", {"albumin": 4.2}, {"albumin": 42}),
        ("BILIRUBIN_UNIT", {"bilirubin": 1.1}, {"bilirubin": 18.8}),
        ("HAEMOGLOBIN_UNIT", {"haemoglobin": 13.5}, {"haemoglobin": 135}),
        (
            "WHITE_CELLS_DO_NOT_ADD_UP",
            {"wbc": 5.1, "neutrophils": 62.0, "lymphocytes": 28.0, "monocytes": 7.0},
            {"wbc": 5.1, "neutrophils": 3.2, "lymphocytes": 1.4, "monocytes": 0.4},
        ),
        ("CNLC_AGAINST_SIZE", {"cnlc": "Ia", "tumour_diameter_cm": 5.1}, {"cnlc": "Ia", "tumour_diameter_cm": 5}),
        (
            "CNLC_AGAINST_SIZE",
            {"cnlc": "Ib", "tumour_number": 2, "tumour_diameter_cm": 3.1},
            {"cnlc": "Ib", "tumour_number": 2, "tumour_diameter_cm": 3},
        ),
        ("CNLC_II_AGAINST_NUMBER", {"cnlc": "IIb", "tumour_number": 3}, {"cnlc": "IIb", "tumour_number": 4}),
        ("CNLC_AGAINST_VESSELS", {"cnlc": "IIb", "pvtt": "I"}, {"cnlc": "IIIa", "pvtt": "I"}),
        (
            "SINGLE_TUMOUR_WITH_SATELLITES",
            {"tumour_number": 1, "satellite_nodules": "yes"},
            {"tumour_number": 2, "satellite_nodules": "yes"},
        ),
        ("MVI_NOT_REPORTED", {"mvi": "not_reported"}, {"mvi": "M0"}),
        (
            "DIAMETERS_DISAGREE",
            {"pathology_diameter_cm": 45, "tumour_diameter_cm": 4.5},
            {"pathology_diameter_cm": 4, "tumour_diameter_cm": 4.5},
        ),
        ("PATHOLOGY_LONG_AFTER_SURGERY", {"pathology_date": on(61)}, {"pathology_date": on(60)}),
        (
            "AFP_AGAINST_TUMOUR",
            {"afp": 200000, "tumour_number": 1, "tumour_diameter_cm": 1.5, "pvtt": "none"},
            {"afp": 200000, "pvtt": "none"},
        ),
        (
            "SCAN_LONG_BEFORE_SURGERY",
            {"scan_first_on": Day.parse("1994-05-01"), "scan_days_most": 42},
            {"scan_first_on": on(-42), "scan_days_most": 42},
        ),
        (
            "SCAN_NOT_AS_ATTESTED",
            {"imaging_date": on(-10), "scan_first_on": on(-30), "scan_last_on": on(-30)},
            {"imaging_date": on(-10), "scan_first_on": on(-11), "scan_last_on": on(-11)},
        ),
        ("SCAN_AFTER_SURGERY", {"scan_last_on": on(1)}, {"scan_last_on": on(0)}),
        ("TREATMENT_BEFORE_SURGERY", {"first_course_on": Day.parse("2026-02")}, {"first_course_on": Day.parse("2026-03")}),
        (
            "DEATH_BEFORE_LAST_VISIT",
            {"death_on": Day.parse("2026-05"), "last_seen_on": Day.parse("2026-06-01")},
            {"death_on": Day.parse("2026-05"), "last_seen_on": Day.parse("2026-05-20")},
        ),
        (
            "ADJUVANT_AFTER_RECURRENCE",
            {"last_adjuvant_on": on(81), "recurrence_on": on(80)},
            {"last_adjuvant_on": on(80), "recurrence_on": on(80)},
        ),
        ("RECURRENCE_EARLY", {"recurrence_on": on(59)}, {"recurrence_on": on(60)}),
        (
            "RECURRENCE_NOT_CONFIRMED",
            {"recurrence_on": on(80), "today": on(201)},
            {"recurrence_on": on(80), "today": on(201), "recurrence_confirmed_on": on(100)},
        ),
        ("DECLARED_NONE_BUT_TREATED", {"none_declared_on": on(91), "first_adjuvant_on": on(40)}, {"none_declared_on": on(91)}),
    ],
)
def test_rule_fires_at_its_limit_and_not_beside_it(code, fires, silent):
    """EL-04, EP-10, EP-13 and the vocabulary of the dictionary; boundaries by hand."""
    assert code in firing(**fires)
    assert code not in firing(**silent)


def test_baselines_of_the_demonstration_break_no_rule():
    """The drawn stage follows from the drawn size and number by the rule that judges it: nobody is asked about an invention."""
    book = dictionary.load("hcc_adjuvant")
    drawn = patients.cohort(count=300, first=SURGERY, last=SURGERY + timedelta(days=300), seed=7, centers=("01",), visits=11)
    stages = set()
    for each in drawn:
        facts = {code: forms_held.known(book.item(code), Value(text)) for code, text in each.baseline.items()}
        assert [rule.code for rule in RULES.firing(facts)] == [], each.baseline
        stages.add(each.baseline["cnlc"])
    assert stages >= {"Ia", "Ib", "IIa"}


def test_nothing_known_fires_nothing():
    assert firing() == set()


def test_rule_set_is_large_enough_and_bilingual():
    assert len(RULES.rules) >= 25
    assert all(rule.message.zh != rule.message.en for rule in RULES.rules)


def test_rules_are_found_by_version_and_never_by_chance():
    """A query names the version that judged; its sentence comes from there."""
    assert rules.rule_as_judged("hcc_adjuvant", "MVI_NOT_REPORTED", "1.0") is RULES.rule("MVI_NOT_REPORTED")
    assert rules.rule_as_judged("hcc_adjuvant", "MVI_NOT_REPORTED", "0.9") is RULES.rule("MVI_NOT_REPORTED")
    assert rules.rule_as_judged("hcc_adjuvant", "GONE", "1.0") is None
    with pytest.raises(rules.RulesError):
        rules.in_force("unknown_protocol")


@pytest.mark.parametrize(
    ("change", "names"),
    [({"when": "afp >"}, "afp >"), ({"severity": "awful"}, "severity"), ({"message": {"en": "x"}}, "zh"), ({"twice": True}, "twice")],
)
def test_malformed_file_is_refused_with_its_place(tmp_path, change, names):
    rule = {"code": "ONE", "severity": "impossible", "at": "afp", "when": "afp > 1", "message": {"zh": "一", "en": "one"}}
    several = [rule, rule] if change.pop("twice", False) else [{**rule, **change}]
    data = {"id": "some", "version": "1.0", "sampled_percent": 20, "overdue_days": 14, "least": 10, "rules": several}
    path = tmp_path / "some-1.0.yaml"
    path.write_text(rules.yaml.safe_dump(data))
    with pytest.raises(rules.RulesError, match=names):
        rules.from_file(path)


def test_save_that_breaks_a_rule_asks_and_its_correction_closes(world):
    """On save: the age of an enrolled patient is corrected to 77, then back."""
    participant = worlds.enrolled(world)
    screening.amend(screening=participant.screening, age_at_surgery=77, reason="typo", by=world.coordinator)
    query = Query.objects.get()
    assert (query.rule, query.rule_version, query.field, query.seen) == (
        "AGE_OUT_OF_RANGE",
        "1.0",
        "age_at_surgery",
        {"age_at_surgery": "77"},
    )
    assert (query.record, query.record_uuid) == ("studies.Screening", participant.screening.uuid)
    screening.amend(screening=participant.screening, age_at_surgery=78, reason="typo", by=world.coordinator)
    query.refresh_from_db()
    assert (query.status, query.seen) == ("open", {"age_at_surgery": "78"})
    queries.answer(query=query, text="57 it is", corrected=True, by=world.coordinator)
    screening.amend(screening=participant.screening, age_at_surgery=57, reason="typo", by=world.coordinator)
    query.refresh_from_db()
    assert (query.status, query.closed_by) == ("closed", world.system)
    assert [said.move for said in query.messages.order_by("pk")] == ["raised", "answered", "closed"]


def test_many_writes_are_judged_once_when_the_outermost_of_them_ends(world):
    """A write within other writes waits for these; what was put right by then is not asked."""
    participant = worlds.enrolled(world)
    with checking.judged_at_the_end():
        with checking.judged_at_the_end():
            screening.amend(screening=participant.screening, age_at_surgery=77, reason="typo", by=world.coordinator)
        assert not Query.objects.exists()
        screening.amend(screening=participant.screening, age_at_surgery=78, reason="typo", by=world.coordinator)
    assert Query.objects.get().seen == {"age_at_surgery": "78"}
    screening.amend(screening=participant.screening, age_at_surgery=57, reason="typo", by=world.coordinator)
    assert Query.objects.get().status == "closed"


def test_accepted_facts_stay_quiet_until_they_change(world):
    """Closed by a person while the rule still fires: the same facts are not asked about again."""
    participant = worlds.enrolled(world)
    screening.amend(screening=participant.screening, age_at_surgery=77, reason="true", by=world.coordinator)
    queries.close(query=Query.objects.get(), reason="waived by the committee", by=world.people[Role.MONITOR])
    assert checking.settle(participants=[participant.pk]) == checking.Settled(0, 0)
    screening.amend(screening=participant.screening, age_at_surgery=79, reason="typo", by=world.coordinator)
    assert sorted(Query.objects.values_list("status", flat=True)) == ["closed", "open"]


def test_followup_facts_reach_the_rules_and_point_at_their_rows(world):
    """EP-13: recurrence on day 50; voided, the query closes by itself."""
    participant = worlds.enrolled(world)
    seen = SURGERY + timedelta(days=50)
    row = events.record_recurrence(
        participant=participant, first_seen_on=seen, confirmed_on=seen, site="intrahepatic", modality="CT", by=world.coordinator
    )
    query = Query.objects.get()
    assert (query.rule, query.record, query.record_uuid, query.field) == (
        "RECURRENCE_EARLY",
        "followup.Recurrence",
        row.uuid,
        "first_seen_on",
    )
    entry.void(row=row, reason="other patient", by=world.coordinator)
    query.refresh_from_db()
    assert query.status == "closed"


def test_facts_of_courses_are_their_ends(world):
    participant = worlds.enrolled(world)
    for day, intent in ((60, "salvage"), (20, "adjuvant"), (40, "adjuvant")):
        start = (SURGERY + timedelta(days=day)).isoformat()
        treatment.record_course(participant=participant, kind="TACE", intent=intent, start=start, source="note", by=world.coordinator)
    facts = {code: fact.said for code, fact in sources.facts([participant])[participant.pk].items()}
    assert facts["first_course_on"] == facts["first_adjuvant_on"] == "2026-03-22"
    assert (facts["last_adjuvant_on"], facts["last_course_on"]) == ("2026-04-11", "2026-05-01")


def test_every_code_of_the_rules_is_a_fact(world):
    """A misspelt code would make its rule silent for ever."""
    known = set(sources.kinds(world.study))
    wrong = {(rule.code, name) for rule in RULES.rules for name in (*rule.when.names, rule.at) if name not in known}
    assert wrong == set()


def test_judging_takes_the_same_number_of_queries_for_two_and_for_eight(world):
    used = []
    for more in (2, 6):
        people = [worlds.enrolled(world).pk for _ in range(more)]
        people += list(Query.objects.values_list("participant", flat=True))
        with CaptureQueriesContext(connection) as asked:
            checking.settle(participants=people)
        used.append(len(asked))
    assert used[0] == used[1] <= 30


def test_judging_holds_the_queries_that_it_may_close(world):
    """Who closes a query while its participant is saved is told to reload; the save is not refused for it."""
    participant = worlds.enrolled(world)
    screening.amend(screening=participant.screening, age_at_surgery=77, reason="typo", by=world.coordinator)
    with CaptureQueriesContext(connection) as asked:
        checking.settle(participants=[participant.pk])
    assert any('FOR UPDATE OF "studies_query"' in each["sql"] for each in asked)


def test_run_goes_over_the_whole_study_in_batches(world, monkeypatch):
    """Asked for once; a second wish waits; two sweeps at once never judge the same batch."""
    monkeypatch.setattr(checking, "BATCH", 2)
    people = [worlds.enrolled(world) for _ in range(5)]
    screening.amend(screening=people[3].screening, age_at_surgery=77, reason="typo", by=world.coordinator)
    manager = world.people[Role.DATA_MANAGER]
    run = checking.ask_for_run(study=world.study, by=manager)
    with pytest.raises(NotAllowedNow):
        checking.ask_for_run(study=world.study, by=manager)
    assert checking.sweep(most=2) == 2
    run.refresh_from_db()
    assert (run.status, run.done, run.total) == ("running", 4, 5)
    checking.sweep()
    run.refresh_from_db()
    assert (run.status, run.done, run.raised, run.closed) == ("done", 5, 0, 0)
    assert checking.sweep() == 0
    assert CheckRun.objects.count() == 1


def test_sweep_starts_a_daily_run_of_its_own(world):
    worlds.enrolled(world)
    assert checking.sweep() == 2
    assert CheckRun.objects.get().asked_by == world.system


def test_forms_are_judged_once_submitted_and_their_items_pointed_at(world):
    """A draft is not asked about; MVI not reported and albumin in g/dL are, when the forms are declared complete."""
    participant = worlds.enrolled(world)
    form.record_texts(participant=participant, texts={"mvi": "not_reported", "albumin": "14"}, by=world.coordinator)
    assert not Query.objects.exists()
    form.record_texts(participant=participant, texts={"mvi": "not_reported", "albumin": "14"}, by=world.coordinator, submit=True)
    asked = {query.rule: query for query in Query.objects.all()}
    assert set(asked) == {"MVI_NOT_REPORTED", "ALBUMIN_UNIT"}
    laboratory = Entry.objects.get(form="laboratory")
    query = asked["ALBUMIN_UNIT"]
    assert (query.record, query.record_uuid, query.field) == ("studies.Entry", laboratory.uuid, "albumin")
    form.record_texts(participant=participant, texts={"albumin": "41"}, by=world.coordinator, reason="it was g/dL")
    query.refresh_from_db()
    assert query.status == "closed"


def test_child_class_is_held_against_the_points_of_its_signs(world):
    """Bilirubin 60 (3), albumin 25 (3), INR 1 (1), no ascites (1), no encephalopathy (1): 9 points, class B."""
    participant = worlds.enrolled(world)
    texts = {"child_pugh": "A", "bilirubin": "60", "albumin": "25", "inr": "1.0", "ascites": "none", "encephalopathy": "none"}
    with translation.override("en"):
        form.record_texts(participant=participant, texts=texts, by=world.coordinator, submit=True)
    assert Query.objects.get(rule="CHILD_AGAINST_POINTS").seen == {"child_pugh": "A", "child_pugh_class": "B"}


def test_censored_number_fires_only_what_all_of_it_fires(world):
    """AFP > 60500 may be 100,001 or not: unknown, so silent; > 100,000 is enough."""
    item = world.study.dictionary.item("afp")
    rule = RULES.rule("AFP_AGAINST_TUMOUR")
    rest = {"tumour_number": Decimal(1), "tumour_diameter_cm": Decimal("1.5"), "pvtt": "none"}
    assert rule.when.truth({**rest, "afp": forms_held.known(item, Value("60500", ">"))}) is None
    assert rule.when.truth({**rest, "afp": forms_held.known(item, Value("100001", ">"))}) is True
    assert rule.when.truth({**rest, "afp": forms_held.known(item, Value("20", "<"))}) is False
