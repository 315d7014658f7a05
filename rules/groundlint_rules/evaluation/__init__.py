"""EVA: advice from the evaluation of a trained model."""
