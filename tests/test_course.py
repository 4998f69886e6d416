"""The plans of the course fit their lessons, and what they say is found is what the networks do."""

import pytest

from conv_sheet import lessons
from conv_sheet.ops import Array
from conv_sheet.pictures.samples import sample
from conv_sheet.state import WorkbookState
from scripts import course
from tests.lessons import state_of


@pytest.mark.parametrize("name", lessons.names())
def test_a_class_has_45_minutes_and_something_to_find_in_each_try(name: str) -> None:
    plan, tries = course.plans()[name], lessons.load(name).lesson.tries
    assert sum(plan.minutes) == 45
    assert len(plan.minutes) == len(("ask", "say", *tries, "end"))
    assert list(plan.found) == [item.at for item in tries if not item.answer]


def test_a_lesson_leans_on_lessons_before_it() -> None:
    assert list(course.plans()) == lessons.order()
    for number, (name, plan) in enumerate(course.plans().items()):
        assert set(plan.leans_on) <= set(lessons.order()[:number]), name


def test_topics_of_other_courses_are_where_the_tables_say() -> None:
    listed = [row for other in course.elsewhere() for row in other.rows]
    assert {name for _, name, *sheet in listed if sheet} == set(lessons.names())
    for topic, name, *sheet in listed:
        if sheet:
            assert set(sheet) <= set(course.sheets(name)), topic
        else:
            assert (course.PAGE.parent / name).is_file(), topic


FIRST_COURSE = {
    *("Conv2d", "ConvTranspose2d", "MaxPool2d", "AvgPool2d", "MinPool2d", "AdaptiveAvgPool2d", "BatchNorm2d"),
    *("ReLU", "LeakyReLU", "Sigmoid", "Tanh", "Softmax", "Dropout", "Flatten", "Linear", "Concat"),
}


def test_every_layer_of_a_first_course_is_in_the_network_of_a_lesson() -> None:
    taught = {node.layer.kind for name in lessons.names() for node in lessons.load(name).network.nodes}
    assert taught >= FIRST_COURSE


# -- what is found -----------------------------------------------------------------------------------------------------


def said(state: WorkbookState) -> tuple[str, float]:
    """What the network says, and its share in per cent."""
    shares = state.output.ravel()
    return state.network.classes[int(shares.argmax())], 100 * float(shares.max())


def drawn(state: WorkbookState, rows: slice, columns: slice, ink: float) -> WorkbookState:
    picture = state.image.copy()
    picture[0, rows, columns] = ink
    return state.with_typed({"input": picture})


def found(name: str, at: str) -> str:
    return course.plans()[name].found[at]


@pytest.mark.parametrize(
    ("name", "bar", "stroke", "digits"),
    [
        ("fastai", slice(8, 12), (slice(20, 22), slice(8, 21)), 1),
        ("lenet", slice(9, 13), (slice(16, 18), slice(8, 24)), 2),
    ],
)
def test_a_seven_without_its_bar_and_with_another(
    name: str, bar: slice, stroke: tuple[slice, slice], digits: int
) -> None:
    state, text = state_of(name), found(name, "input_1")
    without, share = said(drawn(state, bar, slice(None), 0.0))
    assert f"Without its bar (rows {bar.start + 1} to {bar.stop}) it reads a {without}, at {share:.0f} %." in text
    crossed, share = said(drawn(state, *stroke, 1.0))
    assert text.endswith(f"a {crossed}, at {share:.{digits}f} %.")


def test_masks() -> None:
    state = state_of("dropout")

    def answers(p: float) -> list[tuple[str, float]]:
        masks = ({"dropout.active": 1.0, "dropout.seed": float(seed), "dropout.p": p} for seed in range(1, 13))
        return [said(state.with_typed(mask)) for mask in masks]

    half = answers(0.5)
    shares = [share for _, share in half]
    assert {digit for digit, _ in half} == {"7"}
    assert f"between {min(shares):.0f} and {max(shares):.1f} %" in found("dropout", "dropout_seed")
    wrong = {seed: digit for seed, (digit, _) in enumerate(answers(0.9), 1) if digit != "7"}
    (first, *rest) = wrong.items()
    listed = [f"{first[0]} gives a {first[1]}", *(f"{seed} a {digit}" for seed, digit in rest)]
    assert ": " + ", ".join(listed) + "." in found("dropout", "dropout_p")


def test_filters_switched_off() -> None:
    state = state_of("cs231n")
    names = state.network.classes

    def answers(without: int) -> dict[str, tuple[str, float]]:
        bias: Array = state.tensors["conv1.bias"].copy()
        bias[:without] = -10
        shown = {name: sample(name, state.network.input_shape) for name in names}
        return {name: said(state.with_typed({"input": own, "conv1.bias": bias})) for name, own in shown.items()}

    for without, least in ((0, 99.95), (16, 99.75)):
        assert all(name == right and share > least for right, (name, share) in answers(without).items())
    for right, (name, _) in answers(24).items():
        assert name == ("blue triangle" if right.startswith("red") else right)
