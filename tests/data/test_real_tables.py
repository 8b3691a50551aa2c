"""Real tables: would an analyst agree with every kind?"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tacit.data import Table, decode, encode, load, read

EXPECTED = {
    "mall_customers.csv": {
        "identifier": "CustomerID",
        "binary": "Gender",
        "continuous": "Age, Annual Income (k$), Spending Score (1-100)",
    },
    "penguins.csv": {
        "categorical": "species, island, year",
        "continuous": "bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g",
        "binary": "sex",
    },
    "adult.csv.gz": {
        "continuous": "age, fnlwgt, education_num, capital_gain, capital_loss, hours_per_week",
        "categorical": "workclass, education, marital_status, occupation, relationship, race, native_country",
        "binary": "sex, income",
    },
    "titanic.csv": {
        "identifier": "PassengerId, Name",
        "binary": "Survived, Sex",
        "categorical": "Pclass, Embarked",
        "continuous": "Age, Fare",
        "count": "SibSp, Parch",
        "text": "Ticket, Cabin",
    },
    "doctor_visits.csv.gz": {
        "count": "visits, illness, reduced, health",
        "binary": "gender, private, freepoor, freerepat, nchronic, lchronic",
        "continuous": "age, income",
    },
    "boys.csv": {
        "continuous": "age, hgt, wgt, bmi, hc, tv",
        "categorical": "gen, phb, reg",
    },
    "horse_colic.csv": {
        "binary": "surgery, age",
        "identifier": "hospital_number",
        "continuous": "rectal_temperature, pulse, nasogastric_reflux_ph, packed_cell_volume, total_protein",
        "positive": "respiratory_rate",
        "categorical": "pain, outcome, lesion1",
    },
    "cdnow_customers.csv": {
        "identifier": "ID",
        "count": "frequency",
        "continuous": "recency, T",
    },
    "online_retail_rfm.csv": {
        "identifier": "CustomerID",
        "positive": "Recency, Monetary",
        "count": "Frequency",
    },
    "wholesale_customers.csv": {
        "binary": "Channel",
        "categorical": "Region",
        "positive": "Fresh, Milk, Grocery, Frozen, Detergents_Paper, Delicassen",
    },
    "heart_cleveland.csv": {
        "continuous": "age, trestbps, chol, thalach, oldpeak",
        "binary": "sex, fbs, exang",
        "categorical": "cp, restecg, slope, ca, thal, diagnosis",
    },
    "breast_cancer_wisconsin_original.csv": {
        "identifier": "id",
        "categorical": "clump_thickness, bare_nuclei, mitoses",
        "binary": "class",
    },
    "pima.csv": {
        "count": "pregnancies",
        "continuous": "glucose, blood_pressure, skin_thickness, insulin, bmi, age",
        "positive": "pedigree",
        "binary": "class",
    },
    "crabs.csv": {
        "binary": "sp, sex",
        "identifier": "index",
        "continuous": "FL, BD",
    },
    "galaxies.csv": {
        "continuous": "velocity",
    },
    "faithful.csv": {
        "continuous": "eruptions, waiting",
    },
    "africa.csv": {
        "identifier": "year",
        "categorical": "country",
        "continuous": "gdp_pc, infl, population",
    },
    "airquality.csv": {
        "positive": "Ozone",
        "continuous": "Solar.R, Wind, Temp",
        "categorical": "Month",
        "identifier": "Day",
    },
    "glass.csv": {
        "continuous": "RI, Na, Ba",
        "categorical": "type",
    },
    "olive.csv": {
        "categorical": "Region, Area",
        "continuous": "Palmitic, Oleic",
    },
    "yeast.csv": {
        "identifier": "name",
        "continuous": "mcg",
        "binary": "erl",
        "categorical": "location",
    },
    "bfi.csv": {
        "categorical": "A1, O5, education",
        "binary": "gender",
        "continuous": "age",
    },
    "polca_election.csv": {
        "categorical": "MORALG, VOTE3, EDUC",
        "continuous": "AGE",
        "binary": "GENDER",
    },
    "wine_quality_red.csv": {
        "continuous": "fixed_acidity, pH, quality",
        "positive": "residual_sugar",
    },
    "nhanes.csv": {
        "categorical": "age",
        "continuous": "bmi, chl",
        "binary": "hyp",
    },
    "coffee.csv": {
        "binary": "Variety",
        "text": "Country",
        "continuous": "Water, Caffine",
    },
    "holzinger_swineford.csv": {
        "identifier": "id",
        "binary": "Gender, grade, school",
        "continuous": "agey, paragrap, straight",
    },
}


def loaded(path: Path) -> Table:
    table = load(path)
    assert isinstance(table, Table)
    return table


@pytest.mark.parametrize("name", EXPECTED)
def test_an_analyst_would_agree(name: str, shared_data: Path) -> None:
    table = loaded(shared_data / "tables" / name)
    found = {column.name: column.kind for column in table.schema.columns}
    found |= {entry.name: entry.role for entry in table.left_out}
    expected = {key: kind for kind, names in EXPECTED[name].items() for key in names.split(", ")}
    assert {key: found[key] for key in expected} == expected
    assert all(column.note for column in table.schema.columns)


@pytest.mark.parametrize("name", ["adult.csv.gz", "boys.csv", "horse_colic.csv", "titanic.csv", "bfi.csv"])
def test_real_tables_survive_encoding(name: str, shared_data: Path) -> None:
    """What is decoded means the same cell by cell as what pyarrow read."""
    table = loaded(shared_data / "tables" / name)
    raw = read(shared_data / "tables" / name).table
    again = decode(table.values, table.schema)
    np.testing.assert_array_equal(encode(again, table.schema), table.values)
    for name_ in again.column_names:
        before, after = raw.column(name_), again.column(name_)
        if pa.types.is_large_string(before.type):
            before = before.cast(pa.string())
        assert after.cast(before.type).to_pylist() == before.to_pylist()


def test_missing_cells_are_counted_right(shared_data: Path) -> None:
    """The figures are those of shared/data/README.md."""
    counts = {"adult.csv.gz": 4262, "boys.csv": 1622, "airquality.csv": 44, "bfi.csv": 731, "africa.csv": 7}
    for name, expected in counts.items():
        assert int(np.isnan(loaded(shared_data / "tables" / name).values).sum()) == expected


def test_zeros_that_stand_for_missing_are_pointed_out(shared_data: Path) -> None:
    table = loaded(shared_data / "tables" / "pima.csv")
    told = {column.name for column in table.schema.columns if "a sign for missing?" in column.note}
    assert told == {"glucose", "blood_pressure", "bmi"}


def test_dates_among_sensors(shared_data: Path) -> None:
    path = shared_data / "anomaly" / "skab.csv.gz"
    table = load(path, dates="drop")
    assert isinstance(table, Table)
    assert [(entry.name, entry.role) for entry in table.left_out] == [("datetime", "date")]


def test_names_inside_an_npz(shared_data: Path) -> None:
    assert loaded(shared_data / "density" / "protein.npz").names[:2] == ("RMSD", "F1")
