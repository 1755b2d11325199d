"""Columns of a table as features: numbers, dates, categories and texts, by scikit-learn's transformers."""

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

Kind = Literal["number", "date", "category", "text"]
Comma = Literal["none", "groups", "decimal"]  # what a comma in the numbers of a column means
Frame: TypeAlias = Any  # pandas.DataFrame; pandas has no type stubs here
Column: TypeAlias = Any  # pandas.Series

MOST_CATEGORIES = 50  # different values of a category; a column with more is text
FEW_WORDS = 3.0  # words of a value, on average, above which a column is text
MOSTLY = 0.9  # share of the values that have to be numbers, or dates, for the column to be one of these
FEW_VALUES = 20  # a column with no more values is no id
RARE = 2  # rows that a category or a term needs to have a feature of its own
MOST_TERMS = 200_000  # of a text column: the most frequent
SHORT_WORDS = r"(?u)\b\w+\b"  # words of one letter too
TOO_LARGE = 1e100  # for a number
ID_NAME = re.compile(r"(.*[ _-])?(id|key|index|row|nr|no)|unnamed: \d+", re.IGNORECASE)
DATE = r"\d{4}-\d{2}-\d{2}([T ].*)?"
DATE_WITH_POINTS = r"\d{1,2}\.\d{1,2}\.\d{4}"
EXPONENT = r"([eE][+-]?\d+)?"
IN_GROUPS = rf"[+-]?[1-9]\d{{0,2}}(,\d{{3}})+(\.\d+)?{EXPONENT}"  # 1,234.5
SURELY_IN_GROUPS = r".*,.*[,.].*"  # 1,234,567 and 1,234.5
WITH_DECIMAL_COMMA = rf"[+-]?(\d+|\d{{1,3}}(\.\d{{3}})+)(,\d+)?{EXPONENT}"  # 1234,5 and 1.234,5
DATE_WITH_SLASHES = r"\d{1,2}/\d{1,2}/\d{4}"
CURRENCY = "[$€£¥]"
UNIT = rf"{CURRENCY}|%|[^\W\d_]{{1,6}}(?:/[^\W\d_]{{1,3}})?[²³]?"
WITH_UNIT = rf"([+-]?)({CURRENCY}?) ?([+-]?\d[\d.,]*) ?({UNIT})?"  # $1,234.50 and 6.2 kg
DAY_FIRST, MONTH_FIRST = "day/month/year", "month/day/year"
SLASHES = {DAY_FIRST: "%d/%m/%Y", MONTH_FIRST: "%m/%d/%Y"}
CONSTANT_FEATURE = "constant"
ANOTHER = "another value"


class TableEncoder(TransformerMixin, BaseEstimator):
    """The columns of a table as features, decided and fitted on training rows.

    Numbers and dates (in days): the median where missing, with a feature that says so, and standardised. Categories: one feature
    for each value, rare ones together. Texts: TF-IDF of words and pairs of words. At the end a constant, the regression's
    intercept. Columns that say nothing (one value, or ids: all values different, one word each or counting the rows) are left out:
    `left_out_` says why, `kinds_` what the others are, `lost_` which cells of numbers and dates are none and count as missing,
    `units_` what numbers are read without ($ or kg), `orders_` how dates with slashes are read.

    text_columns, ignore_columns: names.
    """

    def __init__(self, text_columns: Sequence[str] = (), ignore_columns: Sequence[str] = ()) -> None:
        self.text_columns = text_columns
        self.ignore_columns = ignore_columns

    def fit(self, X: Frame, y: object = None) -> "TableEncoder":
        """X: a DataFrame (n, columns). Raises `ValueError` if no column is left."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: Frame, y: object = None) -> Any:  # noqa: ARG002
        """The same as `fit` and then `transform`, in half the time."""
        X = self._decide(X)
        numbers, categories, texts = (
            [name for name, kind in self.kinds_.items() if kind in kinds]
            for kinds in (("number", "date"), ("category",), ("text",))
        )
        self.transformer_ = ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), numbers),
                ("categories", categories_encoder(), categories),
                *((f"text {name}", text_encoder(), name) for name in texts),
            ],
            sparse_threshold=1.0,
        )
        plain = self._plain(X, self.commas_)
        self.lost_ = {name: cells for name in self._measured() if len(cells := lost_cells(X[name], plain[name]))}
        return with_constant(self.transformer_.fit_transform(plain))

    def _decide(self, X: Frame) -> Frame:
        """What each column is, and the table with numbers without their units. Raises `ValueError`."""
        self.kinds_: dict[str, Kind] = {}
        self.left_out_: dict[str, str] = {}
        self.units_: dict[str, str] = {}
        for name in (name for name in X.columns if name not in set(self.ignore_columns)):
            if name in set(self.text_columns):
                self.kinds_[name] = "text"
                continue
            unit = unit_of(X[name])
            kind, reason = kind_of(without_unit(X[name]) if unit else X[name])
            if reason:
                self.left_out_[name] = reason
                continue
            self.kinds_[name] = kind
            if unit and kind == "number":
                self.units_[name] = unit
        if not self.kinds_:
            raise ValueError(f"no column can be used: {'; '.join(f'{name} {why}' for name, why in self.left_out_.items())}")
        X = without_units(X, self.units_)
        self.commas_ = commas_of({name: X[name] for name, kind in self.kinds_.items() if kind == "number"})
        orders = {name: order_of(X[name]) for name, kind in self.kinds_.items() if kind == "date"}
        self.orders_ = {name: order for name, order in orders.items() if order}
        return X

    def transform(self, X: Frame) -> Any:
        """(n, d) dense, or CSR if there are categories or texts.

        Raises `ValueError` if a column is missing, or is not what it is in the training rows.
        """
        check_is_fitted(self, "transformer_")
        missing = [name for name in self.kinds_ if name not in X.columns]
        if missing:
            raise ValueError(f"the column {missing[0]} is missing, which the training rows have")
        if not len(X):
            return np.zeros((0, len(self.get_feature_names_out())))
        X = without_units(X, self.units_)
        own = commas_of({name: X[name] for name in self.commas_})
        plain = self._plain(X, {name: own[name] if comma == "none" else comma for name, comma in self.commas_.items()})
        for name in self._measured():
            lost, known = lost_cells(X[name], plain[name]), int(X[name].notna().sum())
            if len(lost) > (1 - MOSTLY) * known:
                cells = f"{len(lost):,} of {known:,} cells that are no {self.kinds_[name]} as in the training rows"
                raise ValueError(f"the column {name} has {cells}, such as {lost.iloc[0]!r}")
        return with_constant(self.transformer_.transform(plain))

    def _measured(self) -> list[str]:
        """The columns of numbers and dates."""
        return [name for name, kind in self.kinds_.items() if kind in {"number", "date"}]

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:  # noqa: ARG002
        """Names such as "age", "age missing", "city = Paris" and "text: refund", (d,)."""
        check_is_fitted(self, "transformer_")
        names: list[str] = []
        for part, fitted, columns in self.transformer_.transformers_:
            if part == "numbers" and columns:
                names += [*columns, *(f"{columns[place]} missing" for place in fitted[0].indicator_.features_)]
            elif part == "categories" and columns:
                names += fitted.get_feature_names_out().tolist()
            elif part.startswith("text "):
                names += [f"{columns}: {term}" for term in fitted[0].get_feature_names_out()]
        return np.array([*names, CONSTANT_FEATURE], dtype=object)

    def _plain(self, X: Frame, commas: dict[str, Comma]) -> Frame:
        """The columns in use, as the transformers take them."""
        return pd.DataFrame(
            {
                name: prepared_column(X[name], kind, commas.get(name), self.orders_.get(name, ""))
                for name, kind in self.kinds_.items()
            }
        )


def with_constant(x: Any) -> Any:
    """x (n, d) with a last column of ones, dense or CSR."""
    ones = np.ones((x.shape[0], 1))
    return sp.csr_array(sp.hstack([x, ones])) if sp.issparse(x) else np.hstack([x, ones])


def categories_encoder() -> OneHotEncoder:
    """A feature for each value that is not rare."""
    return OneHotEncoder(min_frequency=RARE, handle_unknown="infrequent_if_exist", feature_name_combiner=category_name)


def category_name(column: str, value: object) -> str:
    """The name of a feature of a category."""
    return f"{column} = {ANOTHER if value == 'infrequent_sklearn' else value}"


def text_encoder() -> Pipeline:
    """TF-IDF of words and pairs, sublinear."""
    words = CountVectorizer(ngram_range=(1, 2), min_df=RARE, max_features=MOST_TERMS, token_pattern=SHORT_WORDS)
    return make_pipeline(words, FunctionTransformer(sorted_terms, accept_sparse=True), TfidfTransformer(sublinear_tf=True))


def sorted_terms(counts: Any) -> Any:
    """The terms of each row in one order, so that the same text has the same norm to the last digit, in whatever part it is."""
    return counts.sorted_indices()


def kind_of(values: Column) -> tuple[Kind, str]:
    """What a column is, or why it is left out."""
    known = values.dropna()
    typed = pd.api.types.is_numeric_dtype(known) or pd.api.types.is_datetime64_any_dtype(known)
    found = (known if typed else known.astype(str)).value_counts()
    text, counts = pd.Series(found.index, name=values.name), found.to_numpy()  # each different value once: there may be few
    if not len(text) or (len(text) == 1 and len(known) == len(values)):
        return "category", "has one value" if len(text) else "has no values"
    if pd.api.types.is_datetime64_any_dtype(known):
        return "date", ""
    comma = comma_of(text)
    if np.average(numbers_of(text, comma).notna(), weights=counts) >= MOSTLY:
        return "number", "is an id" if counts_rows(str(values.name), numbers_of(known, comma).dropna()) else ""
    text = text.astype(str)
    if np.average(text.str.fullmatch(f"{DATE}|{DATE_WITH_POINTS}|{DATE_WITH_SLASHES}"), weights=counts) >= MOSTLY:
        return "date", ""
    words = text.str.count(r"\S+")
    if len(text) == len(known) > FEW_VALUES and words.max() == 1:
        return "category", "is an id"
    return ("text" if len(text) > MOST_CATEGORIES or np.average(words, weights=counts) > FEW_WORDS else "category"), ""


def counts_rows(name: str, numbers: Column) -> bool:
    """Whether whole numbers, all different, are an id: they are one after the other, or their name says so."""
    if len(numbers) <= FEW_VALUES or not numbers.is_unique or (numbers % 1 != 0).any():
        return False
    return bool(numbers.max() - numbers.min() == len(numbers) - 1 or ID_NAME.fullmatch(name))


def unit_of(values: Column) -> str:
    """What nearly all numbers of a column are written with, such as $ or kg; nothing of few values, which may be categories."""
    text = pd.Series() if pd.api.types.is_numeric_dtype(values) else values.dropna().astype(str).str.strip()
    if text.nunique() <= FEW_VALUES:
        return ""
    found = text.str.extract(f"^{WITH_UNIT}$").fillna("")
    units = (found[1] + found[3]).value_counts()
    return str(units.index[0]) if units.iloc[0] >= MOSTLY * len(text) else ""


def without_unit(values: Column) -> Column:
    """Numbers without what they are written with; other values as they are."""
    text = values.dropna().astype(str).str.strip()
    return text.str.replace(f"^{WITH_UNIT}$", r"\1\3", regex=True).reindex(values.index)


def without_units(X: Frame, units: dict[str, str]) -> Frame:
    """The table with numbers instead of these columns' numbers with units."""
    if not units:
        return X
    return pd.DataFrame({name: without_unit(X[name]) if name in units else X[name] for name in X.columns})


def order_of(values: Column) -> str:
    """How dates with slashes are read: day first if one of them has no other reading; nothing if there are none."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return ""
    first = values.dropna().astype(str).str.extract(r"^(\d{1,2})/\d{1,2}/\d{4}$")[0].dropna().astype(int)
    return "" if first.empty else DAY_FIRST if (first > 12).any() else MONTH_FIRST


def commas_of(columns: dict[str, Column]) -> dict[str, Comma]:
    """What a comma means in the numbers of each column of a table.

    A table has one way to write numbers: where a column has decimal commas, those of 1,234 in another are decimal too, unless some
    of that column's numbers are surely in groups.
    """
    found = {name: comma_of(values) for name, values in columns.items()}
    if "decimal" in found.values():
        for name in [name for name, comma in found.items() if comma == "groups"]:
            if not numbers_with_commas(columns[name]).str.fullmatch(SURELY_IN_GROUPS).any():
                found[name] = "decimal"
    return found


def comma_of(values: Column) -> Comma:
    """What a comma in the numbers of a column means: groups if it can mean that in all of them, none if it has none with commas."""
    numbers = numbers_with_commas(values)
    if not len(numbers):
        return "none"
    return "groups" if numbers.str.fullmatch(IN_GROUPS).all() else "decimal"


def numbers_with_commas(values: Column) -> Column:
    """The different numbers of a column that are written with a comma, as text."""
    if pd.api.types.is_numeric_dtype(values):
        return pd.Series(dtype=str)
    text = pd.Series(values.dropna().astype(str).str.strip().unique(), dtype=str)
    text = text[text.str.contains(",", regex=False)]
    return text[text.str.fullmatch(f"{IN_GROUPS}|{WITH_DECIMAL_COMMA}")]


def lost_cells(values: Column, prepared: Column) -> Column:
    """The cells that are not missing, but neither a number nor a date."""
    return values[prepared.isna() & values.notna()]


def numbers_of(values: Column, comma: Comma | None = None) -> Column:
    """Numbers, nan for what is none. comma: what one means; None: decided by these values."""
    if not pd.api.types.is_numeric_dtype(values):
        text, comma = values.dropna().astype(str).str.strip(), comma or comma_of(values)
        if comma == "decimal":
            text = text[text.str.fullmatch(WITH_DECIMAL_COMMA)]
            text = text.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        elif comma == "groups":
            text = text.str.replace(",", "", regex=False)
        values = pd.to_numeric(text, errors="coerce").reindex(values.index)
    numbers = values.astype(np.float64)
    return numbers.where(numbers.abs() < TOO_LARGE)


def days_of(values: Column, order: str) -> Column:
    """Dates as days since 1970, nan for what is none: by ISO 8601, day.month.year, or with slashes in this order, if any."""
    dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    if not pd.api.types.is_datetime64_any_dtype(values):
        for format_ in ("%d.%m.%Y", *([SLASHES[order]] if order else [])):
            dates = dates.fillna(pd.to_datetime(values, errors="coerce", utc=True, format=format_))
    return (dates - pd.Timestamp(0, tz="UTC")) / pd.Timedelta("1D")


def prepared_column(values: Column, kind: Kind, comma: Comma | None, order: str = "") -> Column:
    """A column as float64, or as text without missing values. order: of dates with slashes, one of `SLASHES`."""
    if kind == "date":
        return days_of(values, order)
    if kind == "number":
        return numbers_of(values, comma)
    return values.astype(object).where(values.notna(), "missing" if kind == "category" else "").astype(str)
