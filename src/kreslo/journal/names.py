"""What a patient is found by, besides the phone: surname alone, or surname and name."""

from kreslo.records import Patient
from kreslo.records.names import comparison_key, parse_free_name


def name_keys(patient: Patient) -> set[str]:
    if not patient.surname:
        return set()
    keys = {comparison_key(patient.surname, "", "")}
    if patient.name:
        keys.add(comparison_key(patient.surname, patient.name, ""))
    return keys


def search_key(text: str) -> str:
    """The key that a typed name is looked for by; a patronymic is not needed, an initial does not help."""
    name = parse_free_name(text)
    given = "" if len(name.name.rstrip(".")) == 1 else name.name
    return comparison_key(name.surname or name.name, given if name.surname else "", "")
