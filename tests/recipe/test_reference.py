"""docs/recipe.md says what the schema says."""

from pathlib import Path

from fpsynth.recipe.reference import reference
from fpsynth.recipe.schema import Recipe

PAGE = Path(__file__).parents[2] / "docs" / "recipe.md"


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == reference(), "run: python -m fpsynth.recipe.reference > docs/recipe.md"


def test_null_is_told_where_a_key_has_no_word_of_its_own_for_it():
    lines = {line.split("|")[1].strip(" `"): line for line in reference().splitlines() if line.startswith("| `")}
    assert "null" in lines["prompt.sensor"] and "null" in lines["prompt.text"]
    assert "null" not in lines["finger.pattern"]


def test_every_key_is_on_the_page():
    text = reference()
    for name, field in Recipe.model_fields.items():
        part = field.get_default() if not field.is_required() else None
        keys = [f"{name}.{key}" for key in type(part).model_fields] if hasattr(part, "model_fields_set") else [name]
        assert all(f"`{key}`" in text for key in keys)
