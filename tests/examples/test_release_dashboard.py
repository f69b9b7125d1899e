from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from release_analytics import dashboard, resources, svg
from release_analytics.charts import CHARTS


@pytest.fixture
def exposed(tables, repaired):
    return resources.exposed(tables, repaired)


@pytest.fixture
def pictures(exposed):
    wide = {chart.name: svg.standalone(chart.render(exposed)) for chart in CHARTS}
    return wide | {f"{chart.name}-narrow": svg.standalone(chart.render(exposed, narrow=True)) for chart in CHARTS}


@pytest.fixture
def html(repaired, exposed, pictures):
    return dashboard.page(description=repaired, description_sha256="ab" * 32, tables=exposed, pictures=pictures)


class Page(HTMLParser):
    """Every tag with its attributes, and whether the tags that open are closed in order."""

    EMPTY = frozenset({"meta", "line", "path", "rect", "circle"})

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_same_input_gives_the_same_bytes(html, repaired, exposed, pictures):
    again = dashboard.page(description=repaired, description_sha256="ab" * 32, tables=exposed, pictures=pictures)
    assert again == html


def test_the_page_is_whole_and_loads_nothing(html):
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object"} == set()
    assert not [attributes for _, attributes in page.tags if {"src", "href", "onclick"} & set(attributes)]
    assert "@import" not in html
    assert "url(" not in html


def test_ids_are_unique_and_what_is_named_is_there(html):
    tags = Page(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {name for _, attributes in tags for name in attributes.get("aria-labelledby", "").split()}
    assert named <= set(ids)


def test_headings_do_not_skip_a_level(html):
    levels = [int(tag[1]) for tag, _ in Page(html).tags if tag in {"h1", "h2", "h3"}]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_page_shows_no_personal_data_and_names_its_description(html):
    assert "recorded_by" not in html
    assert "@slateboard" not in html
    assert "ab" * 32 in html


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_is_drawn_inside_its_picture(chart, pictures):
    for name in (chart.name, f"{chart.name}-narrow"):
        root = ET.fromstring(pictures[name])
        _, _, width, height = (float(number) for number in root.get("viewBox").split())
        assert root.find("{*}title").text == chart.title
        for mark in root.iter("{*}rect"):
            assert 0 <= float(mark.get("x")) <= float(mark.get("x")) + float(mark.get("width")) <= width + 0.2
            assert 0 <= float(mark.get("y")) <= float(mark.get("y")) + float(mark.get("height")) <= height + 0.2
        for mark in root.iter("{*}circle"):
            assert 0 <= float(mark.get("cx")) <= width
            assert 0 <= float(mark.get("cy")) <= height


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_a_chart_tells_its_figures_in_words_and_as_a_table(chart, exposed):
    figures = chart.figures(exposed)
    assert figures.sentence.endswith(".")
    assert figures.rows
    assert {len(row) for row in figures.rows} == {len(figures.header)}


def test_a_field_that_the_api_does_not_offer_is_missed(repaired):
    del repaired["components"]["schemas"]["Release"]["properties"]["days_since_previous"]
    missing = {chart.name: chart.missing(repaired) for chart in CHARTS if chart.missing(repaired)}
    assert missing == {"waits": ["releases.days_since_previous"]}


def test_an_embedded_picture_is_the_file_without_its_style(pictures):
    assert all("<style>" in file and "<style>" not in svg.embedded(file) for file in pictures.values())


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [svg.LIGHT, svg.DARK], ids=["light", "dark"])
def test_text_and_marks_have_enough_contrast(palette):
    for ground in ("page", "surface"):
        for text in ("ink", "muted", "second"):
            assert contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
        assert contrast(palette["first"], palette[ground]) >= 3
    for shade in (1, 2):
        assert contrast(palette["heat-ink-low"], palette[f"heat-{shade}"]) >= 4.5
    for shade in (3, 4, 5):
        assert contrast(palette["heat-ink-high"], palette[f"heat-{shade}"]) >= 3


@pytest.mark.parametrize(("highest", "expected"), [(0, [0, 1]), (5, [0, 1, 2, 3, 4, 5]), (28, [0, 10, 20, 30])])
def test_an_axis_ends_at_or_above_its_highest_value(highest, expected):
    assert svg.steps(highest) == expected
