"""The registry of models: what each version came from, who approved it, what serves, what is compared, what goes back.

A model is a ``candidate`` until somebody compares or promotes it. A ``shadow`` scores beside the champion at no effect;
a ``challenger`` serves the facilities that chance gave it. The champion scores; its row has the state ``preferred``, a
word that is older than the registry. The last state is ``retired``.
"""
