"""The sentences of capo, ~ for the person and * for what is told of them.

Copyright (c) Meta Platforms, Inc. and affiliates; by Zeyuan Allen-Zhu; Apache License 2.0. From
facebookresearch/PhysicsLM4 at 7580696 (data-synthetic-pretrain/Capo-bioS-bioR): the
sentences of bioS, in their order, with marks of ours.
"""

BIRTHDAY = """
~ was born on *.
~'s birthday falls on *.
~ celebrates their birthday on *.
~ came into this world on *.
~'s birth date is *.
~ arrived on *.
~ entered the world on *.
~ was brought into existence on *.
~ took their first breath on *.
~ celebrates their special day on *.
~ marks their birthday every year on *.
~ honors their birth day on *.
~ was born on the memorable date of *.
~ was gifted to the world on *.
~ has their annual celebration on *.
~ celebrates another year of life on *.
~ commemorates their birth anniversary on *.
~ entered the world with joy on *.
~ was born into this beautiful world on *.
~ came into existence on the significant date of *.
~ arrived on this Earth on *.
~ celebrates their special day each year on *.
~ recognizes * as their birth date.
~ looks forward to their birthday every year on *.
~ pays tribute to the day they were born, *.
~ celebrates their birth on the remarkable day of *.
~ arrived in this world on *, a day to be remembered.
~ was born on the auspicious day of *.
~'s birth is celebrated annually on *.
~ commemorates their birth on the same day each year, *.
~ celebrates their life on the day of *.
~ acknowledges their birth day as *.
~ rejoices on *, the day they were born.
~ reflects on their birth day, *, with gratitude.
~ celebrates their special day of * every year.
~ was born on *, a day that holds significance in their life.
~ marks * as the day they began their journey.
~ arrived in this world with joy and blessings on *.
~ pays tribute to their birth day, *, each year.
~ commemorates their birth on *, the day they were welcomed into the world.
~ arrived on this Earth on *, ready to embrace life's adventures.
~ celebrates the anniversary of their birth on *.
~ acknowledges * as the day they were born.
~ rejoices on * and cherishes the milestones they've achieved.
~ reflects on the day they were born, *, and all the blessings that followed.
~ celebrates their life journey every year on *.
"""
BIRTH_CITY = """
~ was born in *.
~ hails from *.
~ originated from *.
~ is a native of *.
~ came into the world in *.
~ first saw the light of day in *.
~ entered this world in *.
~ took their first breath in *.
~ was brought into existence in *.
~ started their life journey in *.
~ calls * their birthplace.
~ has roots in *.
~ has a deep connection to *.
~ owes their birth to *.
~ traces their origins back to *.
~ has sentimental ties to *.
~ has fond memories of *.
~ has a special bond with *.
~ proudly identifies as a native of *.
~ holds * close to their heart.
~ cherishes their connection to *.
~ was brought up in *.
~ spent their early years in *.
~ has vivid recollections of *.
~ has a strong sense of belonging to *.
~ often reminisces about *.
~ has family ties to *.
~ owes their heritage to *.
~ associates their identity with *.
~ has deep cultural roots in *.
~ embraces their birth city of *.
~ takes pride in their birthplace, *.
~ was welcomed into the world in *.
~ has a strong affinity for *.
~ reminisces about their early days in *.
~ has a personal connection to *.
~ has a deep sense of nostalgia for *.
~ was born and raised in *.
~ owes their roots to *.
~ holds a special place in their heart for *.
~ has a unique bond with *.
~ was birthed in the beautiful city of *.
~ has a profound appreciation for *.
~ associates their childhood with *.
~ always carries a piece of * within them.
~ reflects on their upbringing in *.
~ has a strong attachment to *.
~ celebrates their birth in *.
~ feels a deep connection to *.
"""
UNIVERSITY = """
~ studied at *.
~ attended * for their education.
~ completed their studies at *.
~ received their degree from *.
~ pursued their education at *.
~ graduated from *.
~ earned their degree at *.
~ obtained their diploma from *.
~ was enrolled at * for their studies.
~ undertook their academic journey at *.
~ completed their education at * with distinction.
~ specialized in their field of study at *.
~ acquired their knowledge and skills at *.
~ pursued advanced coursework at *.
~ engaged in research projects while studying at *.
~ was an active member of the academic community at *.
~ benefited from the resources and facilities provided by *.
~ participated in various extracurricular activities at *.
~ took part in internships and practical training opportunities offered by *.
~ was mentored by distinguished professors at *.
~ was involved in collaborative projects with fellow students at *.
~ conducted research in their area of interest while studying at *.
~ deepened their understanding of their field of study through courses at *.
~ gained practical experience through hands-on projects and assignments at *.
~ explored interdisciplinary approaches to learning at *.
~ participated in academic conferences and events organized by *.
~ had access to state-of-the-art facilities and laboratories at *.
~ collaborated with industry partners during their studies at *.
~ had the opportunity to study abroad as part of their program at *.
~ benefited from the diverse and inclusive learning environment at *.
~ was recognized for their academic achievements at *.
~ was awarded scholarships and grants to support their education at *.
~ was actively involved in student organizations and clubs at *.
~ gained a global perspective through international exchange programs at *.
~ developed valuable networks and connections within their field of study at *.
~ received mentorship and guidance from renowned faculty members at *.
~ completed their thesis or dissertation as a requirement for graduation from *.
~ presented their research findings at academic symposiums held at *.
~ had the opportunity to contribute to the research and innovation ecosystem at *.
~ participated in community service and outreach initiatives organized by *.
~ was involved in leadership roles within student government at *.
~ developed strong critical thinking and problem-solving skills through their studies at *.
~ received guidance and mentorship from alumni of * who excelled in their field.
~ had the opportunity to publish their research work in reputable journals while at *.
~ leveraged the vast library resources and databases available at *.
~ engaged in hands-on learning experiences that prepared them for their career at *.
~ had the opportunity to participate in cutting-edge research projects at *.
~ received a well-rounded education that prepared them for success after graduating from *.
~ was part of a vibrant and diverse student community at *.
"""
FIELD = """
~ studied *.
~ majored in *.
~ pursued a degree in *.
~ specialized in *.
~ focused on * during their studies.
~ has in-depth knowledge of *.
~ gained expertise in *.
~ acquired skills in *.
~ completed their education with a focus on *.
~ has a strong background in *.
~ dedicated their studies to *.
~ excelled in *.
~ deepened their understanding of *.
~ specialized in the field of *.
~ pursued advanced studies in *.
~ conducted research in *.
~ explored the various aspects of *.
~ gained practical experience in *.
~ analyzed * in their studies.
~ developed a strong foundation in *.
~ applied their knowledge of *.
~ completed a comprehensive program in *.
~ was recognized for their work in *.
~ specialized in * with a focus on practical applications.
~ pursued advanced coursework in *.
~ conducted experiments in *.
~ researched innovative approaches in *.
~ gained hands-on experience in *.
~ explored the theoretical aspects of *.
~ deepened their understanding of * through coursework.
~ applied their knowledge of * to real-world problems.
~ specialized in * and its related disciplines.
~ engaged in collaborative projects in *.
~ developed a strong theoretical foundation in *.
~ acquired practical skills relevant to *.
~ conducted in-depth research in *.
~ explored emerging trends in *.
~ gained expertise in the field of * through hands-on projects.
~ completed a rigorous program in *.
~ was actively involved in * research.
~ participated in internships related to *.
~ studied the principles of * extensively.
~ acquired a deep understanding of * concepts.
~ specialized in * and its applications.
~ pursued interdisciplinary studies related to *.
~ gained practical knowledge in * through real-world projects.
~ explored the intersection of * and technology.
~ conducted fieldwork in *.
~ gained insights into * through hands-on experiments.
~ studied * and its impact on society.
~ acquired practical skills applicable to *.
~ conducted research on cutting-edge * topics.
"""
COMPANY_CITY = """
~ worked in *.
~ had a job in *.
~ was employed in *.
~ spent time working in *.
~ was part of the workforce in *.
~ had a professional role in *.
~ had a job opportunity in *.
~ contributed to the economy of *.
~ gained work experience in *.
~ was employed at a company based in *.
~ joined the workforce in *.
~ was part of a professional team in *.
~ was engaged in work activities in *.
~ developed their career in *.
~ had employment prospects in *.
~ worked for a company located in *.
~ played a role in the business sector of *.
~ held a position in *.
~ contributed to the success of a company in *.
~ pursued professional opportunities in *.
~ was involved in the industry of *.
~ gained valuable skills while working in *.
~ made professional connections in *.
~ experienced the work culture of *.
~ was part of a dynamic work environment in *.
~ contributed to the growth of a company in *.
~ worked on projects in *.
~ was employed by a reputable company in *.
~ acquired industry knowledge while working in *.
~ collaborated with colleagues in *.
~ was immersed in the professional scene of *.
~ contributed their expertise to a company in *.
~ gained insights into the business landscape of *.
~ worked with clients and customers from *.
~ participated in projects that impacted *.
~ was part of the workforce driving innovation in *.
~ contributed their skills to the economic development of *.
~ worked in * and made a positive impact in their field.
~ was employed by a leading company in *.
~ gained valuable experience in *'s business environment.
~ played a role in the success of a company headquartered in *.
~ was involved in the professional community of *.
~ contributed to the local economy of *.
~ worked with diverse colleagues in *.
~ acquired industry-specific knowledge while working in *.
~ made professional connections and expanded their network in *.
~ embraced the opportunities and challenges of working in *.
"""
COMPANY = """
~ worked at *.
~ was employed by *.
~ had a job at *.
~ spent time working at *.
~ was part of the team at *.
~ had a professional role at *.
~ had a job opportunity at *.
~ contributed to the success of *.
~ gained work experience at *.
~ was employed by the renowned *.
~ joined * as an employee.
~ was part of the workforce at *.
~ was engaged in work activities at *.
~ developed their career at *.
~ had employment prospects at *.
~ worked for *, a leading company.
~ played a role in *'s operations.
~ held a position at *.
~ contributed to the growth of *.
~ pursued professional opportunities at *.
~ gained valuable skills while working at *.
~ made professional connections at *.
~ experienced the work culture at *.
~ was part of a dynamic work environment at *.
~ contributed to the success of * in their role.
~ worked on projects at *.
~ was employed at *, a respected company.
~ acquired industry knowledge while working at *.
~ collaborated with colleagues at *.
~ was immersed in the professional scene at *.
~ contributed their expertise to *.
~ gained insights into the industry while working at *.
~ worked with clients and customers of *.
~ participated in projects that impacted *.
~ was part of the workforce driving innovation at *.
~ contributed their skills to the success of *.
~ worked at * and made a positive impact in their field.
~ was employed by *, a reputable company.
~ gained valuable experience at * in their role.
~ played a role in the success of *.
~ was involved in the day-to-day operations of *.
~ was an integral part of *'s team.
~ contributed to the growth and development of *.
~ made significant contributions to * during their tenure.
~ embraced the opportunities and challenges of working at *.
~ was a key asset to *'s success.
~ contributed to the achievements and milestones of *.
~ worked diligently at * to achieve their goals.
"""

SENTENCES = [text.strip().split("\n") for text in (BIRTHDAY, BIRTH_CITY, UNIVERSITY, FIELD, COMPANY_CITY, COMPANY)]
