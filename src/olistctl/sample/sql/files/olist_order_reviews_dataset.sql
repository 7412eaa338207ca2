select concat(
    '"', hex_id('review', source * 4 + nth_review), '","', hex_id('order', r), '",', score, ',',
    free_text(title), ',', free_text(message), ',', time_text(day::bigint * 86400), ',', time_text(answered_at), chr(13)) as {header}
from reviews
order by draws('reviews file', r * 4 + nth_review)
