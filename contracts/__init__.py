"""What services and outside parties may rely on: profiles, their examples and versions, and who says what to whom.

profiles/ (FSH) -> sushi.py, node.py -> build.py -> compiled/, which the validator reads; compile.py does the same for
R4 itself. demands.py, changes.py and lock.py keep versions honest; upcasts.py brings older resources up. catalogue/
writes messages.md, asyncapi.yaml and capability/ from the services' declarations; conformance/ asks the HL7 validator.
"""
