"""What models compute, said once for all sources: from values of a source to layers."""
