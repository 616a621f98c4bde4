"""What every visit has in common, in a chair or at home: how it is read, held, answered, booked, asked about and shown.

Law of this package: pure but for `pharmacy` (a channel), and without the words of one service: no chair, no home, no
nurse. A service adds which visits an order asks for, where they may be placed, and what they require beyond this.
"""
