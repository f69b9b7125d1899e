from dataclasses import replace
from datetime import date, timedelta

from release_analytics import dataset, statistics


def test_the_shipped_data_does_not_contradict_itself(data):
    assert dataset.faults(data) == []


def test_it_holds_the_known_number_of_minor_releases_of_retired_versions(data):
    retired = {"9.0": 23, "9.3": 25, "9.4": 26, "9.6": 24, "10": 23, "11": 22, "12": 22, "13": 23}
    assert {major: statistics.minor_releases(data, major) for major in retired} == retired


def test_a_release_twice_is_a_fault(data):
    assert any("more than once" in fault for fault in dataset.faults(replace(data, releases=data.releases * 2)))


def test_a_missing_minor_release_is_a_fault(data):
    without = tuple(release for release in data.releases if release.version != "9.6.7")
    assert dataset.faults(replace(data, releases=without)) == [
        "9.6: the minor numbers are not 0, 1, 2, … in the order of their dates"
    ]


def test_a_release_after_the_end_of_life_is_a_fault(data):
    last = data.releases_of("9.0")[-1]
    late = replace(last, released_on=date(2016, 1, 1))
    releases = tuple(late if release is last else release for release in data.releases)
    assert dataset.faults(replace(data, releases=releases)) == ["9.0.23 was released after the end of life of 9.0"]


def test_versions_sort_by_number_and_not_by_letters(data):
    assert [major.major for major in data.majors][6:8] == ["9.6", "10"]


def test_a_version_is_supported_on_its_last_day_and_not_after(data):
    end = next(major.end_of_life_on for major in data.majors if major.major == "13")
    assert "13" in statistics.supported(data, end)
    assert "13" not in statistics.supported(data, end + timedelta(days=1))


def test_years_count_every_release_once(data):
    years = statistics.years(data)
    assert sum(year.major_releases + year.minor_releases for year in years) == len(data.releases)
    assert [year.year for year in years] == list(range(2010, 2026))
