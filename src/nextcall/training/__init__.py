"""The recipe: prompts and sessions in, a trained, calibrated, saved ranker out."""
