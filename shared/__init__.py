"""A language (`shared.contracts`) and a kit (`shared.kit`), never a place for business."""
