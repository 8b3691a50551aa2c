"""A classifier that models the rows keeps going where features go missing.

Wines from three cultivars, thirteen measurements each. Both classifiers learn from complete rows and then meet rows
of which a growing share of entries is missing at random. Logistic regression cannot take a gap, so the column's mean
stands in for it. The generative classifier integrates the missing entries out of each class's Gaussian, which leaves
Bayes' rule on the entries that are there. Last, rows that are no wine at all: logistic regression is sure of many,
the generative classifier refuses many.

    python examples/missing_features.py
"""

import warnings

import numpy as np
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tacit import GaussianMixture, GenerativeClassifier

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
SPLITS = 6
FLOOR = 1e-2  # of a variance: 36 rows are few for the 13×13 covariance of a class


def classifiers(refuse=None):
    logistic = make_pipeline(StandardScaler(), SimpleImputer(), LogisticRegression(max_iter=1000))
    generative = make_pipeline(
        StandardScaler(),
        GenerativeClassifier(GaussianMixture(reg_covar=FLOOR), refuse=refuse, calibration=0.4, random_state=0),
    )
    return logistic, generative


def accuracies(rows, classes):
    """Accuracy on unseen rows, ``[shares, classifiers]``, averaged over splits."""
    found = np.zeros((SPLITS, len(SHARES), 2))
    for split in range(SPLITS):
        parts = train_test_split(rows, classes, test_size=0.4, stratify=classes, random_state=split)
        train, test, train_classes, test_classes = parts
        fitted = [classifier.fit(train, train_classes) for classifier in classifiers()]
        chance = np.random.default_rng(split).uniform(size=test.shape)
        for place, share in enumerate(SHARES):
            holed = np.where(chance < share, np.nan, test)
            found[split, place] = [classifier.score(holed, test_classes) for classifier in fitted]
    return found.mean(axis=0)


def main():
    warnings.simplefilter("ignore", ConvergenceWarning)  # covariances rest on the floor, as they should here
    rows, classes = load_wine(return_X_y=True)
    print(f"{len(rows)} wines, {rows.shape[1]} measurements, {SPLITS} splits; accuracy on the 40 % held out\n")
    print("  missing   logistic regression,   generative classifier,")
    print("            means filled in        entries integrated out")
    for share, (logistic, generative) in zip(SHARES, accuracies(rows, classes), strict=True):
        print(f"   {share:4.0%}          {logistic:.3f}                  {generative:.3f}")

    logistic, generative = (classifier.fit(rows, classes) for classifier in classifiers(refuse=0.05))
    noise = np.random.default_rng(0).uniform(rows.min(axis=0), rows.max(axis=0), size=(200, rows.shape[1]))
    sure = np.mean(logistic.predict_proba(noise).max(axis=1) > 0.95)
    refused, ordinary = (np.mean(generative.predict(x) == -1) for x in (noise, rows))
    print("\n200 rows of noise within the range of every measurement:")
    print(f"   logistic regression is more than 95 % sure of {sure:.0%} of them;")
    print(f"   the generative classifier refuses {refused:.0%} of them (and {ordinary:.0%} of the wines).")


if __name__ == "__main__":
    main()
