"""Recipe: what the user wrote, validated, and unrolled into a plan. Needs no torch."""

from fpsynth.recipe.load import LoadedRecipe, load_recipe, recipe_yaml
from fpsynth.recipe.plan import IdentityPlan, Plan, RowPlan, make_plan
from fpsynth.recipe.schema import Recipe
from fpsynth.recipe.shards import ShardPlan

__all__ = [
    "IdentityPlan",
    "LoadedRecipe",
    "Plan",
    "Recipe",
    "RowPlan",
    "ShardPlan",
    "load_recipe",
    "make_plan",
    "recipe_yaml",
]
