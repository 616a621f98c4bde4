"""What a payer demands of a chart, as data, and what the chart shows of it."""
