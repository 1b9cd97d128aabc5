"""Files of weights as other programs leave them.

reading        bytes -> what torch.save or safetensors put there, without running code; other formats by their names
harmless       what lies beside weights and is made without running code
choosing       which sets of weights lie in it: in which container, below which prefix, averaged (EMA) or raw
values         whether they are numbers that a network can take
schemes        other libraries' names of a network's entries, for the pairs of networks that compute the same
fitting        the set that fits a network, under the network's own names
misfit         why none does
preprocessing  what images are normalised by, as files beside the weights tell
"""
