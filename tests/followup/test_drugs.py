"""A drug under any of its names is one drug with one class; a class that contradicts the list is refused (TX-01, TX-02)."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation

from followup import drugs, pages, treatment
from followup.models import TreatmentCourse
from followup.vocabulary import DrugClass
from tests import world
from tests.followup.test_pages import browser_of


@pytest.mark.parametrize("typed", ["lenvatinib", "Lenvatinib ", "仑伐替尼", "乐卫玛", "LENVIMA", "Ｌｅｎｖｉｍａ", "甲磺酸 仑伐替尼"])
def test_any_name_means_the_drug(typed):
    assert drugs.find(typed) == next(drug for drug in drugs.drugs() if drug.name == "lenvatinib")


def test_unknown_name_means_none_and_every_class_is_one_of_the_vocabulary():
    assert drugs.find("aspirin") is None
    assert {drug.drug_class for drug in drugs.drugs()} == set(DrugClass.values)


@pytest.mark.django_db
def test_course_is_stored_under_the_generic_name_with_the_class_of_the_list():
    """The reader's language says the name; a name that is not on the list stays as typed and needs its class."""
    site = world.build()
    person, by = world.enrolled(site), site.people["coordinator01"]
    start = (person.screening.surgery_date + timedelta(days=10)).isoformat()
    given = {"participant": person, "kind": "SYSTEMIC", "intent": "adjuvant", "start": start, "source": "letter", "by": by}
    row = treatment.record_course(drug="艾瑞卡", **given)
    assert (row.drug, row.drug_class) == ("camrelizumab", "ICI")
    for language, said in (("zh-hans", "卡瑞利珠单抗"), ("en", "camrelizumab")):
        with translation.override(language):
            assert said in pages.say(row)[2][1]
    with pytest.raises(ValidationError) as refused:
        treatment.record_course(drug="oxaliplatin", drug_class="TKI", **given)
    assert set(refused.value.message_dict) == {"drug_class"}
    with pytest.raises(ValidationError):
        treatment.record_course(drug="tivozanib", **given)
    assert treatment.record_course(drug="tivozanib", drug_class="TKI", **given).drug == "tivozanib"
    client = browser_of(site, "coordinator01")
    address = reverse("course-new", args=[person.uuid])
    assert 'list="drugs"' in client.get(address).content.decode() and 'value="camrelizumab"' in client.get(address).content.decode()
    sent = {
        "kind": "SYSTEMIC",
        "intent": "adjuvant",
        "start": start,
        "place": "here",
        "source": "letter",
        "drug": "乐卫玛",
        "drug_class": "",
    }
    assert client.post(address, sent).status_code == 302
    assert TreatmentCourse.objects.filter(drug="lenvatinib", drug_class="TKI").count() == 1
