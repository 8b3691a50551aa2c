"""Numbers as people write them: ``1.234,50 €``, ``12'345``, ``(1.25)``, ``12.3 kg``, ``1.2D+00``, full-width digits.

Each text is taken apart into its sign, its digits with their signs between them, its power of ten and what stands
beside it; what the digits mean, with decimal points or decimal commas, is settled for a whole column (`number_forms`).
"""

import dataclasses
import functools
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from tacit.data.reading import NumberForm

NUMERIC_MISSING = (
    *("-", "--", "---", "–", "—", "−", "_", ".", "..", "...", "*", "**", "***", "?", "??", "???", "/", "\\"),
    *("none", "nan", "na", "n.a.", "n.a", "n/a", "n. a.", "n.d.", "n.d", "n/d", "nd", "n. d.", "k.a.", "k. a.", "s.o."),
    *("nat", "null", "nil", "missing", "unknown", "unk", "undefined", "unavailable", "not available", "no data"),
    *(
        "not applicable",
        "not known",
        "not recorded",
        "not reported",
        "not given",
        "blank",
        "empty",
        "(blank)",
        "(empty)",
    ),
    *("(none)", "(null)", "<null>", "<none>", "<na>", "[null]", "\\n", "-nan", "nan(ind)", "-nan(ind)", "1.#qnan"),
    *(
        "1.#ind",
        "-1.#ind",
        "-1.#j",
        "1.#j",
        "#div/0!",
        "#value!",
        "#ref!",
        "#name?",
        "#num!",
        "#null!",
        "#n/a",
        "#n/a n/a",
    ),
    *("tbd", "tba", "keine angabe", "unbekannt", "fehlt", "inconnu", "desconocido", "sin dato", "s/d", "not a number"),
)
"""Texts, in small letters, that mean missing where everything else in a column is a number."""

SYMBOLS = "$€£¥₹₽₩₺₪฿₫₴₦₱¢"
CURRENCIES = (
    *("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "RMB", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK"),
    *("HUF", "BRL", "MXN", "ZAR", "TRY", "RUB", "KRW", "SGD", "HKD"),
)
_MONEY = (
    rf"(?:(?:US|R|A|C|CA|AU|NZ|HK|S)?[{SYMBOLS}]|{'|'.join(CURRENCIES)}|"
    r"Euros?|euros?|Fr\.|SFr\.|kr\.?|Kč|zł|Ft|Rs\.?|руб\.?)"
)
_UNIT = r"[\pL°%‰µμΩ″′][\pL°%‰µμΩ/·*^.$€£¥ -]{0,18}?(?:\^?[23]|[²³])?(?:/[\pL]{1,6}[23²³]?)?\.?"
_BODY = r"(?:\d[\d.,' _]*|[.,]\d+)"
_POWER = r"(?:[eEdD]|\s?[x×*·]\s?10\s?\^?)[-+]?\d+"
_GRAMMAR = (
    rf"^(?P<open>\()?\s?(?P<sign>[-+])?\s?(?P<before>{_MONEY})?\s?(?P<sign2>[-+])?\s?(?P<body>{_BODY})(?P<power>{_POWER})?"
    rf"(?P<after>\s?{_MONEY}|\s?{_UNIT})?\s?(?P<minus>-)?(?P<close>\))?$"
)
_ASCII_GRAMMAR = _GRAMMAR.replace(r"\pL", "A-Za-z")
"""The same for texts in ASCII: to make ready for all letters there are takes longer than to read a table."""
_GROUPS = r"[1-9]\d{{0,2}}(?:{0}\d{{3}})+"
_NEUTRAL = "|".join(_GROUPS.format(sign) for sign in (" ", "'", "_"))
_INDIAN = r"[1-9]\d?(?:,\d{2})+,\d{3}"
POINTED = rf"^(?:(?:\d+|{_GROUPS.format(',')}|{_INDIAN}|{_NEUTRAL})(?:\.\d*)?|\.\d+)$"
"""A body whose decimals stand behind a point."""
COMMAED = rf"^(?:(?:\d+|{_GROUPS.format('[.]')}|{_NEUTRAL})(?:,\d*)?|,\d+)$"
"""A body whose decimals stand behind a comma."""
_ALONE = "mgshlLAVWKJNtkdCF%°"
"""Letters that may stand for a unit directly behind a digit; others, as in ``12B``, are a part of a name."""
_NO_UNITS = {
    *("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "am", "pm", "a.m"),
    *(
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ),
    *("or", "and", "to", "of", "x", "bc", "ad", "q"),
}
_LONGEST = 400
"""A longer text is no number."""
_SAME = {"US$": "$", "USD": "$", "EUR": "€", "Euro": "€", "euro": "€", "Euros": "€", "euros": "€", "GBP": "£"}
_SAME |= {"SFr": "CHF", "Fr": "CHF", "percent": "%", "per cent": "%", "pct": "%", "Prozent": "%", "μm": "µm"}
MAGNITUDES = {
    "k": 1e3,
    "K": 1e3,
    "Tsd": 1e3,
    "M": 1e6,
    "mn": 1e6,
    "Mio": 1e6,
    "B": 1e9,
    "bn": 1e9,
    "Mrd": 1e9,
    "G": 1e9,
}
"""Letters that multiply, where several of them stand in one column."""

_SIGNS = dict.fromkeys("−–‐‑‒﹣－", "-") | {"＋": "+", "﹢": "+"}
_BLANKS = dict.fromkeys("\u00a0\u202f\u2009\u2007\u2005\u2006\u2008\u200a\u2002\u2003\u3000\t", " ")
_NOTHING = dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad", "")
_OTHER = dict.fromkeys("’‘ʼ′´`", "'") | {"٫": ".", "٬": ",", "，": ",", "．": ".", "％": "%", "＄": "$"}
_OTHER |= {"（": "(", "）": ")"}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_RAISED_POWER = re.compile("(?<=10)[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")


@functools.cache
def _table() -> dict[int, str]:
    """What stands for each sign: other minus signs, blanks and digits as plain ones."""
    plain = {ord(sign): value for signs in (_SIGNS, _BLANKS, _NOTHING, _OTHER) for sign, value in signs.items()}
    wide = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    digits = {
        code: str(unicodedata.decimal(chr(code)))
        for start in (0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50, 0xFF10)
        for code in range(start, start + 10)
    }
    return wide | digits | plain


def plain_signs(texts: pa.Array) -> pa.Array:
    """Texts with the usual minus sign, blank and digits, trimmed; what a spreadsheet calls text as what it shows."""
    ascii_only = pc.all(pc.string_is_ascii(texts), min_count=0).as_py()
    if not ascii_only:
        table = _table()
        changed = [None if text is None else _unraised(text.translate(table)) for text in texts.to_pylist()]
        texts = pa.array(changed, texts.type)
    texts = pc.utf8_trim_whitespace(texts)
    return pc.replace_substring_regex(texts, r"""^(?:="([^"]*)"|'([-+]?\d[\d.,]*))$""", r"\1\2")


def _unraised(text: str) -> str:
    """``10³`` as ``10^3``, where it is a power of ten."""
    return _RAISED_POWER.sub(lambda found: "^" + found[0].translate(_RAISED), text)


@dataclasses.dataclass(frozen=True, eq=False)
class Written:
    """Texts of a column taken apart; the arrays run over the texts.

    Attributes:
        texts: with plain signs.
        number: which are numbers by their shape.
        body: the digits and what stands between them; null elsewhere.
        negative: whether a minus sign or brackets stand around.
        power: the power of ten, as written; empty for none.
        unit: what stands beside it, tidied; empty for nothing.
        letter: one of `MAGNITUDES` behind it; empty for none.
        pointed, commaed: whether the body can be read with a decimal point, and with a decimal comma.
    """

    texts: pa.Array
    number: Bool[np.ndarray, " texts"]
    body: pa.Array
    negative: Bool[np.ndarray, " texts"]
    power: pa.Array
    unit: np.ndarray
    letter: np.ndarray
    pointed: Bool[np.ndarray, " texts"]
    commaed: Bool[np.ndarray, " texts"]

    @functools.cached_property
    def signed(self) -> Bool[np.ndarray, " texts"]:
        """Where a point or a comma stands among the digits."""
        return _flags(pc.match_substring_regex(self.body, "[.,]"))

    @property
    def surely_pointed(self) -> Bool[np.ndarray, " texts"]:
        """Numbers that only a decimal point explains."""
        return self.number & self.signed & self.pointed & ~self.commaed

    @property
    def surely_commaed(self) -> Bool[np.ndarray, " texts"]:
        """Numbers that only a decimal comma explains."""
        return self.number & self.signed & self.commaed & ~self.pointed

    @property
    def open(self) -> Bool[np.ndarray, " texts"]:
        """Numbers that may be read either way, and are then another number."""
        return self.number & self.signed & self.commaed & self.pointed

    @functools.cached_property
    def coded(self) -> Bool[np.ndarray, " texts"]:
        """Whole numbers with zeros in front and nothing beside, such as ``007``."""
        return _flags(pc.match_substring_regex(self.texts, r"^0\d+$"))

    @functools.cached_property
    def digits_only(self) -> Bool[np.ndarray, " texts"]:
        """Whole numbers without anything else but a minus sign."""
        return _flags(pc.match_substring_regex(self.texts, r"^[-+]?\d+$"))

    def grouped(self, sign: str) -> Bool[np.ndarray, " texts"]:
        """Numbers in which a sign stands between thousands, and could stand nowhere else."""
        return self.number & _flags(pc.match_substring(self.body, sign))


def take_apart(texts: pa.Array) -> Written:
    """Find the parts of every text that may be a number."""
    plain = plain_signs(texts)
    short = pc.and_(pc.less_equal(pc.utf8_length(plain), _LONGEST), pc.match_substring_regex(plain, r"\d"))
    looked_at = pc.if_else(short, plain, pa.scalar("", plain.type))
    in_ascii = pc.all(pc.string_is_ascii(looked_at), min_count=0).as_py()
    found = pc.extract_regex(looked_at, _ASCII_GRAMMAR if in_ascii else _GRAMMAR)
    shaped = _flags(found.is_valid()) & _flags(short)
    parts = {field.name: found.field(field.name) for field in found.type}
    given = {name: _flags(pc.not_equal(part, "")) & shaped for name, part in parts.items()}
    # a bracket is closed, and one sign stands there
    shaped &= given["open"] == given["close"]
    shaped &= (given["sign"].astype(int) + given["sign2"] + given["minus"] + given["open"]) <= 1
    body = pc.utf8_trim_whitespace(pc.if_else(pa.array(shaped), parts["body"], pa.scalar(None, parts["body"].type)))
    units, letters, fine = _units(parts, given, shaped)
    pointed, commaed = (_flags(pc.match_substring_regex(body, pattern)) for pattern in (POINTED, COMMAED))
    number = shaped & fine & (pointed | commaed)
    minus = sum((_flags(pc.equal(parts[name], "-")) for name in ("sign", "sign2", "minus")), np.zeros(len(texts), int))
    negative = (minus > 0) | given["open"]
    return Written(plain, number, body, negative, parts["power"], units, letters, pointed, commaed)


def _units(
    parts: dict[str, pa.Array], given: dict[str, np.ndarray], shaped: Bool[np.ndarray, " texts"]
) -> tuple[np.ndarray, np.ndarray, Bool[np.ndarray, " texts"]]:
    """What stands beside each number, tidied; a letter that may multiply; and whether it can be a unit."""
    units, letters = (np.full(len(shaped), "", object) for _ in range(2))
    fine = np.ones(len(shaped), bool)
    known: dict[str, tuple[str, bool]] = {}
    for name in ("before", "after"):
        places = np.flatnonzero(given[name] & shaped)
        if not places.size:
            continue
        for place, text in zip(places.tolist(), parts[name].take(pa.array(places)).to_pylist(), strict=True):
            if text not in known:
                known[text] = _unit(text)
            unit, good = known[text]
            if name == "after" and unit in MAGNITUDES:
                letters[place] = unit
            else:
                fine[place] &= good and not units[place]
                units[place] = unit
    return units, letters, fine


def _unit(text: str) -> tuple[str, bool]:
    """A unit without blanks around it, and whether it is one."""
    bare = " ".join(text.split()).rstrip(".")
    bare = _SAME.get(bare, bare)
    apart = text != text.lstrip()
    attached = len(bare) > 1 or bare in _ALONE or not bare.isascii() or bare in SYMBOLS
    return bare, (apart or attached) and bare.lower() not in _NO_UNITS and bare.count(" ") <= 2


def values_of(written: Written, form: NumberForm) -> pa.Array:
    """The numbers of a column in a form: whole ones where all are, null where a text is no number in this form.

    Decimals are numbers in 64 bits, each the nearest to what is written.
    """
    fits = written.number & (written.commaed if form.decimal == "," else written.pointed)
    body = pc.if_else(pa.array(fits), written.body, pa.scalar(None, written.body.type))
    if form.decimal == ",":
        body = pc.replace_substring(pc.replace_substring(body, ".", ""), ",", ".")
    else:
        body = pc.replace_substring(body, ",", "")
    body = pc.replace_substring_regex(body, r"[ '_]", "")
    power = pc.replace_substring_regex(written.power, r"^(?:[eEdD]|\s?[x×*·]\s?10\s?\^?)", "e")
    minus = pc.if_else(pa.array(written.negative), "-", "").cast(body.type)
    text = pc.binary_join_element_wise(minus, body, power.cast(body.type), pa.scalar("", body.type))
    factor = _factors(written, form)
    if factor is None and not pc.any(pc.match_substring_regex(text, r"[.e]"), min_count=0).as_py():
        try:
            return text.cast(pa.int64())
        except pa.ArrowInvalid:
            pass  # beyond 64 bits
    numbers = text.cast(pa.float64())
    return numbers if factor is None else pc.multiply(numbers, pa.array(factor))


def _factors(written: Written, form: NumberForm) -> Float[np.ndarray, " texts"] | None:
    """What every number is multiplied by, or None."""
    if not form.shares and not form.magnitudes:
        return None
    factors = np.ones(len(written.texts))
    if form.shares:
        factors[written.unit == "%"] = 0.01
    for letter in np.unique(written.letter[written.letter != ""]).tolist() if form.magnitudes else ():
        factors[written.letter == letter] = MAGNITUDES[letter]
    return factors


def means_missing(texts: pa.Array) -> Bool[np.ndarray, " texts"]:
    """Which texts mean missing where everything else is a number."""
    low = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    return _flags(pc.is_in(low, value_set=pa.array(NUMERIC_MISSING, low.type)))


def _flags(mask: pa.Array | pa.ChunkedArray) -> Bool[np.ndarray, " texts"]:
    """A mask of Arrow's with False for null."""
    return np.asarray(pc.fill_null(mask, False).to_numpy(zero_copy_only=False), bool)
