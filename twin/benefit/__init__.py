"""Who benefits: effects of a treatment on each of many persons, and what can be known of them beforehand."""
