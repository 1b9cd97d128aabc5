"""The least that Streamlit does: one slider and one small image. Benchmark 6 measures it beside the explorer."""

import numpy as np
import streamlit as st

value = st.slider("Threshold", 0.0, 1.0, 0.3, 0.01)
st.image(np.full((100, 100), 255 * value, np.uint8))
