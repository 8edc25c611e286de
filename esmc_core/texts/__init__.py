"""Texts: read in, embedded, clustered, and the embedding bent by a judge's answers (ClusterLLM)."""
