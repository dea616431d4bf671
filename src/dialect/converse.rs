//! AWS Bedrock's Converse, as a provider speaks it.
