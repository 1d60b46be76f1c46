"""A language (`shared.contracts`) and a frame (`shared.kit`), never a place for business."""
