select concat(name, ',', english) from category_source
