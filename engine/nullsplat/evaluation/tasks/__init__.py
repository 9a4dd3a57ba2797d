"""What a result is good for: small lesions shown, missed and invented, a model observer, sharpness, noise, segmentations."""
