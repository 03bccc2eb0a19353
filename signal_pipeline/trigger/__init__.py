"""The Kafka event source: topics in, calls of a function out."""
