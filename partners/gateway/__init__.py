"""The gateway that carries the practice's texts to telephones, and what people text back.

It knows numbers and texts; what the practice sends along as `reply_as` it gives back with every reply.
"""
