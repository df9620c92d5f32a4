"""The printed kit of a service: what people need on paper when the supplier is gone and Wissel itself is down."""
