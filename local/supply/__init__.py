"""The supply chain: what is locked, known vulnerabilities, the bill of materials, images by digest, leaked secrets."""
