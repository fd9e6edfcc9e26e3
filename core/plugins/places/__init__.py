"""Places with files that the platform lists and fetches for importers and sources of knowledge.

A plugin says where its files lie. ``open_place`` opens a folder of the server, a bucket or an SFTP server;
``fetch_request`` fetches one file by HTTPS. Both reject what the operator does not allow, and bound size and time.
"""

from core.plugins.places.errors import PlaceError, Reason, as_place_errors
from core.plugins.places.opening import Place, open_place
from core.plugins.places.requests import Validators, answer_of, fetch_request

__all__ = ["Place", "PlaceError", "Reason", "Validators", "answer_of", "as_place_errors", "fetch_request", "open_place"]
