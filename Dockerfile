# The explorer alone: docker build -t filterscope . && docker run -p 8501:8501 -v "$PWD/runs:/runs:ro" filterscope
# Without a volume it shows the example file. Other arguments after the image's name replace the last line's.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 NUMBA_CACHE_DIR=/tmp/numba
RUN useradd --create-home --uid 1000 filterscope && mkdir /runs && chown filterscope /runs
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE CITATION.cff ./
COPY store store
COPY explorer explorer
RUN pip install --constraint constraints.txt --editable '.[explore,remote]'
RUN ln -s /app/explorer/example.h5 /runs/example.h5

USER filterscope
VOLUME /runs
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
ENTRYPOINT ["streamlit", "run", "explorer/app.py", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true", "--server.fileWatcherType=none", "--"]
CMD ["--store", "/runs"]
