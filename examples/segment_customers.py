"""Customer segments from a purchase log, and what a customer is likely to buy next.

The log is made up: three habits, six items, a line for every purchase. It is added up into a sparse table of counts,
a Poisson mixture is fitted with as many groups as ICL likes best (it wants groups that are apart), and a new customer
of whom only two counts are known gets the expected values of the others.

    python examples/segment_customers.py
"""

import numpy as np

from tacit import PoissonMixture
from tacit.data import load
from tacit.evaluation.select import select

ITEMS = ("bread", "milk", "beer", "crisps", "nappies", "wipes")
HABITS = np.array([[6, 5, 1, 1, 0.2, 0.2], [1, 1, 6, 5, 0.2, 0.2], [3, 4, 0.5, 0.5, 5, 4]])


def purchase_log(customers, random):
    """Columns customer, item and quantity, as a shop would keep them."""
    counts = random.poisson(HABITS[random.choice(3, p=[0.5, 0.3, 0.2], size=customers)])
    who, what = np.nonzero(counts)
    return {"customer": who, "item": np.array(ITEMS)[what], "quantity": counts[who, what]}


def main():
    table = load(purchase_log(300, np.random.default_rng(0)), long="customer,item,quantity")
    print(f"{table.counts.shape[0]} customers, {table.counts.shape[1]} items, {table.counts.nnz} counts above 0\n")

    chosen = select(table.counts, range(1, 6), criterion="icl", estimator=PoissonMixture(), random_state=0)
    for row in chosen.table.to_pylist():
        print(f"   {row['n_components']} groups: ICL {row['icl']:9.1f}")
    mixture = chosen.best
    print(f"\n{mixture.n_components} groups, mean counts:\n   share  " + "".join(f"{name:>9s}" for name in table.names))
    for weight, rates in zip(mixture.weights_, mixture.rates_, strict=True):
        print(f"   {weight:5.0%}  " + "".join(f"{rate:9.2f}" for rate in rates))

    new = np.full((1, len(table.names)), np.nan)
    new[0, [table.names.index("beer"), table.names.index("crisps")]] = 7, 4
    print("\nA customer with 7 beers and 4 packets of crisps; the rest expected:")
    print("          " + "".join(f"{value:9.2f}" for value in mixture.impute(new)[0]))


if __name__ == "__main__":
    main()
