"""Columns of a table as features: numbers, dates, categories and texts, by scikit-learn's transformers."""

import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.validation import check_is_fitted

Kind = Literal["number", "date", "category", "text"]
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
NUMBER_WITH_COMMA = r"[+-]?\d+(,\d+)?"
CONSTANT_FEATURE = "constant"
ANOTHER = "another value"


class TableEncoder(TransformerMixin, BaseEstimator):
    """The columns of a table as features, decided and fitted on training rows.

    Numbers and dates (in days): the median where missing, with a feature that says so, and standardised. Categories: one feature
    for each value, rare ones together. Texts: TF-IDF of words and pairs of words. At the end a constant, the regression's
    intercept. Columns that say nothing (one value, or ids: all values different, one word each or counting the rows) are left out:
    `left_out_` says why, `kinds_` what the others are.

    text_columns, ignore_columns: names.
    """

    def __init__(self, text_columns: Sequence[str] = (), ignore_columns: Sequence[str] = ()) -> None:
        self.text_columns = text_columns
        self.ignore_columns = ignore_columns

    def fit(self, X: Frame, y: object = None) -> "TableEncoder":  # noqa: ARG002
        """X: a DataFrame (n, columns). Raises `ValueError` if no column is left."""
        self.kinds_: dict[str, Kind] = {}
        self.left_out_: dict[str, str] = {}
        for name in (name for name in X.columns if name not in set(self.ignore_columns)):
            if name in set(self.text_columns):
                self.kinds_[name] = "text"
                continue
            kind, reason = kind_of(X[name])
            if reason:
                self.left_out_[name] = reason
            else:
                self.kinds_[name] = kind
        if not self.kinds_:
            raise ValueError(f"no column can be used: {'; '.join(f'{name} {why}' for name, why in self.left_out_.items())}")
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
        self.transformer_.fit(self._plain(X))
        return self

    def transform(self, X: Frame) -> Any:
        """(n, d) dense, or CSR if there are categories or texts. Raises `ValueError` if a column is missing."""
        check_is_fitted(self, "transformer_")
        missing = [name for name in self.kinds_ if name not in X.columns]
        if missing:
            raise ValueError(f"the column {missing[0]} is missing; expected {', '.join(self.kinds_)}")
        if not len(X):
            return np.zeros((0, len(self.get_feature_names_out())))
        found, ones = self.transformer_.transform(self._plain(X)), np.ones((len(X), 1))
        return sp.csr_array(sp.hstack([found, ones])) if sp.issparse(found) else np.hstack([found, ones])

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
                names += [f"{columns}: {term}" for term in fitted.get_feature_names_out()]
        return np.array([*names, CONSTANT_FEATURE], dtype=object)

    def _of_kind(self, *kinds: str) -> list[str]:
        return [name for name, kind in self.kinds_.items() if kind in kinds]

    def _plain(self, X: Frame) -> Frame:
        """The columns in use, as the transformers take them."""
        return pd.DataFrame({name: prepared_column(X[name], kind) for name, kind in self.kinds_.items()})


def categories_encoder() -> OneHotEncoder:
    """A feature for each value that is not rare."""
    return OneHotEncoder(min_frequency=RARE, handle_unknown="infrequent_if_exist", feature_name_combiner=category_name)


def category_name(column: str, value: object) -> str:
    """The name of a feature of a category."""
    return f"{column} = {ANOTHER if value == 'infrequent_sklearn' else value}"


def text_encoder() -> TfidfVectorizer:
    """TF-IDF of words and pairs, sublinear."""
    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=RARE, max_features=MOST_TERMS, token_pattern=SHORT_WORDS)


def kind_of(values: Column) -> tuple[Kind, str]:
    """What a column is, or why it is left out."""
    known = values.dropna()
    different = known.astype(str).nunique()
    if not different or (different == 1 and len(known) == len(values)):
        return "category", "has one value" if different else "has no values"
    if pd.api.types.is_datetime64_any_dtype(known):
        return "date", ""
    numbers = numbers_of(known)
    if numbers.notna().mean() >= MOSTLY:
        return "number", "is an id" if counts_rows(str(values.name), numbers.dropna()) else ""
    text = known.astype(str)
    if text.str.fullmatch(DATE).mean() >= MOSTLY:
        return "date", ""
    words = text.str.split().str.len()
    if different == len(known) > FEW_VALUES and words.max() == 1:
        return "category", "is an id"
    return ("text" if different > MOST_CATEGORIES or words.mean() > FEW_WORDS else "category"), ""


def counts_rows(name: str, numbers: Column) -> bool:
    """Whether whole numbers, all different, are an id: they are one after the other, or their name says so."""
    if len(numbers) <= FEW_VALUES or not numbers.is_unique or (numbers % 1 != 0).any():
        return False
    return bool(numbers.max() - numbers.min() == len(numbers) - 1 or ID_NAME.fullmatch(name))


def numbers_of(values: Column) -> Column:
    """Numbers, nan for what is none; also those that are written with a decimal comma."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype(np.float64)
        return numbers.where(numbers.abs() < TOO_LARGE)
    text = values.dropna().astype(str).str.strip()
    if text.str.fullmatch(NUMBER_WITH_COMMA).mean() >= MOSTLY:
        text = text.str.replace(",", ".")
    numbers = pd.to_numeric(text, errors="coerce").reindex(values.index)
    return numbers.where(numbers.abs() < TOO_LARGE).astype(np.float64)


def prepared_column(values: Column, kind: Kind) -> Column:
    """A column as float64, or as text without missing values."""
    if kind == "date":
        return (pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601") - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(
            "1D"
        )
    if kind == "number":
        return numbers_of(values)
    return values.astype(object).where(values.notna(), "missing" if kind == "category" else "").astype(str)
