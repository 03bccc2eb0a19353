"""What the end-to-end and chaos tests share: a running pipeline, a sender with a ledger, readers of metrics."""
