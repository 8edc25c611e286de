"""Clusters from the lens: rows, K-means, pseudo-labels, head, and the whole as an estimator."""
