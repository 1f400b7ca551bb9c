"""How a study is conducted at its centers: opening, delegation, consent versions, withdrawal, deviations, the words for it all."""
