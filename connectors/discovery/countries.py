"""Countries as people write them → ISO 3166-1 alpha-2.

The codes and English names come with the time zone data (``iso3166.tab`` of the tzdata package); other spellings are
those that platforms of German- and French-speaking companies hold.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib import resources

OTHER_NAMES: dict[str, str] = {
    "AT": "osterreich oesterreich autriche aut",
    "AU": "australien australie aus",
    "BE": "belgien belgique belgie bel",
    "BR": "brasilien brasil bresil bra",
    "CA": "kanada can",
    "CH": "schweiz suisse svizzera che",
    "CN": "chn chine",
    "CZ": "tschechien czechia|czech republic|tschechische republik|tchequie|cze",
    "DE": "deutschland allemagne germania deu ger",
    "DK": "danemark dnk",
    "ES": "spanien espana espagne esp",
    "FI": "finnland finlande fin",
    "FR": "frankreich fra",
    "GB": "uk gbr|united kingdom|great britain|england|vereinigtes konigreich|grossbritannien|royaume uni",
    "HU": "ungarn hongrie hun",
    "IE": "irland irlande irl",
    "IN": "indien inde ind",
    "IT": "italien italia italie ita",
    "JP": "japon jpn",
    "KR": "kor|south korea|sudkorea|republic of korea",
    "LI": "lie",
    "LU": "luxemburg lux",
    "MX": "mexiko mexique mex",
    "NL": "niederlande nederland holland nld|the netherlands|pays bas",
    "NO": "norwegen norge nor norvege",
    "NZ": "neuseeland nzl|nouvelle zelande",
    "PL": "polen polska pologne pol",
    "PT": "prt",
    "SE": "schweden sverige swe suede",
    "SG": "singapur sgp singapour",
    "TR": "turkei tuerkei turkiye tur turquie",
    "US": "usa us|united states|united states of america|vereinigte staaten|etats unis",
    "ZA": "sudafrika zaf|south africa|afrique du sud",
}


def code_of(text: str) -> str | None:
    """The country's code, None where the text is no country we know."""
    return _codes().get(_plain(text))


@cache
def _codes() -> dict[str, str]:
    found: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    table = resources.files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    for line in table.splitlines():
        if line.startswith("#") or "\t" not in line:
            continue
        code, name = line.split("\t")
        found |= {_plain(code): code, _plain(name): code}
        short.setdefault(_plain(name.partition("(")[0]), set()).add(code)
    found |= {name: min(codes) for name, codes in short.items() if len(codes) == 1}  # there are two Koreas
    for code, names in OTHER_NAMES.items():
        words, *phrases = names.split("|")
        found |= dict.fromkeys([*words.split(), *phrases], code)
    return found


def _plain(text: str) -> str:
    """Small letters without accents and marks."""
    letters = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    return " ".join(re.sub(r"[^a-z0-9]+", " ", re.sub(r"['.()]", "", letters)).split())
