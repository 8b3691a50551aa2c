"""Published figures, and what tacit finds on the same data: the table of docs/reproductions.md.

    python examples/reproduce.py FOLDER

FOLDER holds faithful.csv (R's datasets), diabetes_mclust.csv (mclust), polca_carcinoma.csv and polca_values.csv
(poLCA). Iris comes with scikit-learn. Sweeps are over K = 1…9 and all fourteen covariance structures, as in
mclust; a BIC is 2 log L − ν log N, so larger is better.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from tacit import KMeans, Mixture
from tacit.evaluation.select import select


def sweep(name, rows, structure, number, published):
    """The choice of BIC among all candidates, beside mclust's."""
    table = select(rows, random_state=0).table.to_pylist()
    sound = [row for row in table if not row["at_floor"]]
    best = max(sound, key=lambda row: row["bic"])
    (row,) = [row for row in table if (row["covariance"], row["n_components"]) == (structure, number)]
    print(f"{name}: chosen {best['covariance']} {best['n_components']} (published {structure} {number})")
    for figure, value in published.items():
        print(f"   {figure}: published {value}, ours {row[figure]:.4f}")


def classes(name, rows, number, published):
    """The maximum likelihood of yes-or-no items that are independent within each of some classes."""
    model = Mixture(number, families="bernoulli", objective="mle", tol=1e-9, max_iter=5000, n_init=20, random_state=0)
    model.fit(rows - 1.0)
    total, parameters = model.score_samples(rows - 1.0).sum(), model.n_parameters_
    print(f"{name}, {number} classes: {parameters} parameters, log-likelihood {total:.4f} (published {published})")


def table(folder, name, columns):
    """Columns of a CSV file with one header line."""
    return np.genfromtxt(Path(folder) / name, delimiter=",", skip_header=1, usecols=columns)


def main(folder):
    warnings.simplefilter("ignore", ConvergenceWarning)  # candidates on their floor are listed, and never chosen
    iris = load_iris().data
    sweep(
        "Old Faithful", table(folder, "faithful.csv", (0, 1)), "EEE", 3, {"log_likelihood": -1126.326, "bic": -2314.316}
    )
    sweep("Iris", iris, "VEV", 2, {"log_likelihood": -215.726, "bic": -561.7285})
    diabetes = {"log_likelihood": -2303.496, "bic": -4751.316, "icl": -4770.169}
    sweep("Diabetes", table(folder, "diabetes_mclust.csv", (1, 2, 3)), "VVV", 3, diabetes)
    classes("Carcinoma", table(folder, "polca_carcinoma.csv", range(7)), 3, -293.705)
    classes("Values", table(folder, "polca_values.csv", range(4)), 2, -504.4677)
    print(f"Iris, k-means with 3 clusters: inertia {KMeans(3, n_init=20, random_state=0).fit(iris).inertia_:.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
