"""Kafka producer and administration."""
