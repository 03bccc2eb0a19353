"""The Kafka connector of OpenFaaS that keeps the delivery contract: it finds functions by their annotation `topic`."""
