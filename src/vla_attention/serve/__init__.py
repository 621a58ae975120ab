"""A pool of workers that answers for many robots: what ``vla-attention serve`` runs."""
