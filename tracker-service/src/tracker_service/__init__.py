"""The distributed task tracker."""
